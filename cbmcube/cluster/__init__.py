"""Local clusters, the environment of their workers, and versions."""

from cbmcube.cluster._gdal import GDAL_DEFAULTS
from cbmcube.cluster._local import local_cluster
from cbmcube.cluster._versions import show_versions, versions

__all__ = ["GDAL_DEFAULTS", "local_cluster", "show_versions", "versions"]

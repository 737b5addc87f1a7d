"""Local and gateway clusters, what workers need to read, the fit of a cluster, versions."""

from cbmcube.cluster._access import S3Access
from cbmcube.cluster._check import ClusterReport, Difference, check_cluster
from cbmcube.cluster._environment import (
    PreparedWorkers,
    WorkerEnvironment,
    prepare_workers,
    worker_environment,
)
from cbmcube.cluster._gateway import gateway_cluster
from cbmcube.cluster._gateway_left import RunningCluster, list_clusters, stop_clusters
from cbmcube.cluster._gdal import GDAL_DEFAULTS, carried_options, read_options
from cbmcube.cluster._install import install_on_workers
from cbmcube.cluster._local import local_cluster
from cbmcube.cluster._process import request_headers
from cbmcube.cluster._signing import signed
from cbmcube.cluster._versions import show_versions, versions
from cbmcube.cluster._vsi import forget_reads

__all__ = [
    "GDAL_DEFAULTS",
    "ClusterReport",
    "Difference",
    "PreparedWorkers",
    "RunningCluster",
    "S3Access",
    "WorkerEnvironment",
    "carried_options",
    "check_cluster",
    "forget_reads",
    "gateway_cluster",
    "install_on_workers",
    "list_clusters",
    "local_cluster",
    "prepare_workers",
    "read_options",
    "request_headers",
    "show_versions",
    "signed",
    "stop_clusters",
    "versions",
    "worker_environment",
]

"""cbmcube: per-parcel time series from STAC catalogues of Copernicus analysis-ready data."""

from cbmcube import foi, indices, learning, markers, plotting
from cbmcube._version import __version__
from cbmcube.agreement import compare
from cbmcube.catalog import AccessPolicy, freeze, from_opensearch, open_catalog, prop, search
from cbmcube.cluster import (
    S3Access,
    check_cluster,
    gateway_cluster,
    local_cluster,
    prepare_workers,
    show_versions,
)
from cbmcube.cube import classify, explain, load, load_native, mask
from cbmcube.observations import (
    open_observations,
    open_plan,
    open_vector_cube,
    plan,
    read_observations,
    report,
    status,
    to_geodataframe,
    to_observations,
    verify,
    write_observations,
    write_vector_cube,
)
from cbmcube.parcels import ReadLimits, prepare_parcels, read_parcels
from cbmcube.products import (
    CARD_2A,
    CARD_BS,
    CARD_COH6,
    GFM,
    Band,
    MaskRule,
    Product,
    Profile,
    Stored,
    list_products,
)
from cbmcube.reporting import season_report
from cbmcube.series import composite
from cbmcube.zonal import reduce_parcels

__all__ = [
    "CARD_2A",
    "CARD_BS",
    "CARD_COH6",
    "GFM",
    "AccessPolicy",
    "Band",
    "MaskRule",
    "Product",
    "Profile",
    "ReadLimits",
    "S3Access",
    "Stored",
    "__version__",
    "check_cluster",
    "classify",
    "compare",
    "composite",
    "explain",
    "foi",
    "freeze",
    "from_opensearch",
    "gateway_cluster",
    "indices",
    "learning",
    "list_products",
    "load",
    "load_native",
    "local_cluster",
    "markers",
    "mask",
    "open_catalog",
    "open_observations",
    "open_plan",
    "open_vector_cube",
    "plan",
    "plotting",
    "prepare_parcels",
    "prepare_workers",
    "prop",
    "read_observations",
    "read_parcels",
    "reduce_parcels",
    "report",
    "search",
    "season_report",
    "show_versions",
    "status",
    "to_geodataframe",
    "to_observations",
    "verify",
    "write_observations",
    "write_vector_cube",
]

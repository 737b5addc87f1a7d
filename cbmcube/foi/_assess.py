"""FOI assessment: heterogeneity and cardinality of parcels from the pixels of a class raster."""

from __future__ import annotations

from collections.abc import Iterable

import geopandas as gpd
import xarray as xr
from dask.base import compute

from cbmcube.foi._blocks import block_tasks
from cbmcube.foi._raster import read_legend, read_raster
from cbmcube.foi._rule import FoiRule
from cbmcube.foi._table import gather, make_table
from cbmcube.parcels import check_parcels
from cbmcube.zonal import Assignment, require_overlap, require_valid


def assess(
    raster: xr.DataArray,
    parcels: gpd.GeoDataFrame,
    *,
    rule: FoiRule | None = None,
    classes: Iterable[int] | None = None,
    ignore: Iterable[int] = (),
) -> gpd.GeoDataFrame:
    """Tell which parcels hold several things: computes, one block of the raster at a time.

    A parcel is *heterogeneous* if some class covers neither nearly nothing nor nearly all of it.
    It is *not cardinal* if, away from its border, two classes each have a cluster of touching
    pixels large enough to be a field of its own.

    Parameters
    ----------
    raster
        Codes of classes or of any other clustering, dims ``(y, x)``, integers of any size, with a
        projected CRS; in memory or a Dask array, which is read block by block. Its attribute
        ``nodata`` or ``_FillValue`` says which code means "no data".
    parcels
        Polygons with a CRS; the index (unique) names them. They may overlap: each keeps all of
        its pixels. A column ``buffer_m`` is not looked at, because the rule states the buffers.
    rule
        Limits and buffers; by default ``FoiRule()``.
    classes
        Codes that count, 0 being as good as any other. By default those of the raster's attribute
        ``flag_values``, else all codes that the parcels hold (256 at most).
    ignore
        Codes of pixels without usable data, such as clouds, besides the raster's nodata.

    Returns
    -------
    geopandas.GeoDataFrame
        One row for each parcel, in the order given, with its geometry and

        ``status``, ``reason``
            ``OK``, or why a parcel could not be judged; see :data:`cbmcube.foi.REASONS`.
        ``foi_h``
            True if the share of a class lies between the rule's; missing if unknown.
        ``foi_c``
            True if at least two classes have a large cluster, so that the parcel is not
            cardinal; missing if ``status`` is not ``OK``.
        ``n_total``, ``n_observed``, ``n_valid``
            Pixels of the parcel, those with data, and those of the classes.
        ``n_inside``
            Pixels with data that the buffer leaves.
        ``dominant_class``, ``dominant_share``
            The class with the largest share (of equals, the first), and its share.
        ``shannon``, ``simpson``
            Diversity without thresholds: 0 for one class; see Notes.
        ``n_clusters_large``, ``n_classes_large``
            Large clusters, and the different classes of these.
        ``clusters``
            The large clusters as a list of pairs, class and pixels, the largest first.
        ``share_<class>``
            Share of each class in ``n_valid``, 0 to 1; NaN if that is 0.
        ``params_id``
            Which rule was used.

    Raises
    ------
    OptionError
        If the raster is not one layer of integers in metres, or codes contradict each other.
    MissingCRSError, GridMismatchError
        If raster or parcels have no CRS, or the raster no regular grid.
    DuplicateIdError, ParcelsError
        If parcels share an id, or geometries are invalid.
    NoOverlapError
        If no parcel touches the raster.

    Warns
    -----
    OutsideParcelsWarning
        Some parcels lie outside the raster; they stay, as ``NOT_EXECUTED``.

    See Also
    --------
    heterogeneity : The same without pixels, from the class shares of a vector cube.

    Notes
    -----
    Pixels belong to a parcel if their centre lies in it (rule ``centre``). Shares are taken of
    the whole parcel, clusters are looked for in the narrowed one; shares are compared with the
    limits inclusively, sizes of clusters strictly.

    With shares s of C classes, Shannon's index is the sum of -s ln s, over ln C so that it
    ends at 1, and Simpson's is 1 minus the sum of s squared. C is the number of classes that
    count, so name them with `classes` where results of different calls are compared.

    The method, and all limits but `FoiRule.min_observed`, are those of the Joint Research
    Centre's FOI assessment (cbm/foi in [1]_, described in docs/uc_foi.md there). Changed against
    its second version: two clusters of *one* class are not two things; the buffer acts on the
    clusters; code 0 is a class; holes and all parts of a polygon are seen; parcels with fewer
    pixels than the 40 that the documentation asks for are not judged; and a parcel whose inside
    has no room for two large clusters is ``TOO_NARROW``, not cardinal by default. The JRC's own
    trials in Catalonia found no single method good enough to stand alone: a flag is a reason to
    look, not a finding.

    References
    ----------
    .. [1] https://github.com/ec-jrc/cbm

    Examples
    --------
    Two halves of one field, 12 pixels wide and high:

    >>> import geopandas as gpd
    >>> import numpy as np
    >>> import xarray as xr
    >>> from odc.geo.geobox import GeoBox
    >>> from odc.geo.xr import xr_coords
    >>> from shapely import box
    >>> from cbmcube import foi
    >>> ground = (500_000, 5_400_000, 500_120, 5_400_120)
    >>> grid = GeoBox.from_bbox(ground, "EPSG:32632", resolution=10)
    >>> codes = np.repeat(np.array([[0, 3]], "uint8"), 6, axis=1).repeat(12, axis=0)
    >>> raster = xr.DataArray(codes, coords=xr_coords(grid), dims=("y", "x"))
    >>> fields = gpd.GeoDataFrame(geometry=[box(*ground)], index=["a"], crs="EPSG:32632")
    >>> found = foi.assess(raster, fields)
    >>> found[["foi_h", "foi_c", "share_0", "share_3"]]
            foi_h  foi_c  share_0  share_3
    parcel
    a        True   True      0.5      0.5
    >>> found.loc["a", "clusters"]
    [(0, 50), (3, 50)]
    """
    rule = FoiRule() if rule is None else rule
    parcels = check_parcels(parcels)
    node = read_raster(raster, rule)
    legend = read_legend(raster, classes, ignore)
    assignment = Assignment(parcels, [node])
    require_overlap(parcels, assignment, [node])
    require_valid(parcels)
    projected = assignment.projected[node.crs]
    found = compute(*block_tasks(node, projected, assignment.members(node), legend, rule))
    return make_table(gather(found, len(parcels), legend, rule), parcels, rule)

from __future__ import annotations

import geopandas as gpd
import pytest
from shapely import box

from cbmcube.parcels import parcels_report, read_parcels
from cbmcube.warnings import CropListWarning

LISTS = "https://example.org/country_mappings"


def fiboa(folder, countries, lists):
    n = len(countries)
    shapes = [box(100 * i, 0, 100 * i + 90, 50) for i in range(n)]
    columns = {
        "id": [str(i) for i in range(n)],
        "crop:code": [str(i) for i in range(n)],
        "crop:code_list": lists,
        "admin:country_code": countries,
    }
    gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:32632").to_parquet(folder / "p.parquet")
    return folder / "p.parquet"


@pytest.mark.parametrize(
    ("country", "listed"),
    [
        ("DK", f"{LISTS}/nl_2020.csv"),
        ("AT", f"{LISTS}/de_nrw_2021.csv?raw=true"),
        ("SI", f"{LISTS}/SK.csv"),
    ],
)
def test_the_list_of_another_country(tmp_path, country, listed):
    path = fiboa(tmp_path, [country] * 3, [listed] * 3)
    with pytest.warns(CropListWarning, match=country) as caught:
        parcels = read_parcels(path)
    assert [w.filename for w in caught] == [__file__]
    assert list(parcels["crop"]) == ["0", "1", "2"]
    name = listed.split("/")[-1].split("?")[0]
    assert parcels_report(parcels).read["crop_list_of_another_country"] == [f"{country}: {name}"]


@pytest.mark.parametrize(
    ("country", "listed"),
    [
        ("DK", f"{LISTS}/dk_2024.csv"),
        ("DE", f"{LISTS}/de_nrw_2021.csv"),
        ("GR", f"{LISTS}/el_2020.csv"),
        ("DK", f"{LISTS}/eu_2020.csv"),
        ("DK", f"{LISTS}/hcat3.csv"),
        ("DK", None),
        (None, f"{LISTS}/nl_2020.csv"),
    ],
)
def test_nothing_to_say(tmp_path, country, listed):
    read_parcels(fiboa(tmp_path, [country], [listed]))  # a warning would be an error


def test_one_country_of_several(tmp_path):
    lists = [f"{LISTS}/dk_2020.csv", f"{LISTS}/dk_2020.csv"]
    with pytest.warns(CropListWarning, match=r"\(SE: dk_2020.csv\)"):
        read_parcels(fiboa(tmp_path, ["DK", "SE"], lists))

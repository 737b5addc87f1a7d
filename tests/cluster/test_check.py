from __future__ import annotations

import pytest

from cbmcube.cluster import ClusterReport, Difference, check_cluster, local_cluster
from cbmcube.cluster._check import compare
from cbmcube.cluster._probe import ABSENT, finder, surveyor
from cbmcube.exceptions import ClusterMismatchError
from cbmcube.warnings import ClusterMismatchWarning

# What an image of 2025 has, and a client of 2026 (docs/clusters.md).
CLIENT = {
    "python": "3.12.11",
    "GDAL": "3.10.3",
    "cbmcube": "0.1.0",
    "dask": "2026.8.0",
    "odc-loader": "0.6.5",
    "exactextract": "0.3.0",
    "zarr": "3.1.6",
    "bokeh": ABSENT,
}
IMAGE = {
    "python": "3.12.10",
    "GDAL": "3.9.3",
    "cbmcube": ABSENT,
    "dask": "2025.7.0",
    "odc-loader": "0.5.1",
    "exactextract": ABSENT,
    "zarr": "3.0.8",
    "bokeh": "3.8.0",
}


@pytest.mark.trap("T43")
def test_every_line_that_differs_is_named_with_its_fix():
    found = {one.name: one for one in compare(CLIENT, {"scheduler": IMAGE, "tcp://w1": IMAGE})}
    # Python's micro version is free; what the client lacks does not matter.
    assert set(found) == {"GDAL", "cbmcube", "dask", "odc-loader", "exactextract", "zarr"}
    assert {name for name, one in found.items() if one.fatal} == {
        *("cbmcube", "dask", "odc-loader", "exactextract"),
    }
    assert str(found["dask"]) == ("dask: 2026.8.0 on the client, 2025.7.0 on scheduler, tcp://w1")
    assert found["dask"].fix() == "pip install 'dask==2025.7.0' for the client"
    assert found["GDAL"].fix() == "use an environment with GDAL 3.9.3 for the client"


@pytest.mark.trap("T43")
def test_another_python_is_told():
    (one,) = compare({"python": "3.11.2"}, {"tcp://w1": {"python": "3.12.10"}})
    assert one.fatal
    assert "an environment with python 3.12.10" in one.fix()


@pytest.mark.trap("T44")
def test_what_lacks_is_named_with_the_way_to_get_it():
    found = {one.name: one for one in compare(CLIENT, {"tcp://w1": IMAGE, "tcp://w2": CLIENT})}
    assert {name for name, one in found.items() if one.missing} == {"cbmcube", "exactextract"}
    assert found["cbmcube"].found == {ABSENT: ("tcp://w1",)}  # the second worker has it
    assert "install_on_workers(client)" in found["cbmcube"].fix()
    report = ClusterReport(2, tuple(found.values()))
    assert not report.ok
    assert set(report.missing) == {"cbmcube", "exactextract"}
    assert "note: zarr" in str(report)
    assert "differs: cbmcube" in str(report)


def test_many_workers_are_counted():
    one = Difference("dask", "1", {"2": tuple(f"w{number}" for number in range(40))})
    assert str(one) == "dask: 1 on the client, 2 on w0, w1, w2 and 37 more"


def test_nothing_differs_from_itself():
    assert compare(CLIENT, {"tcp://w1": CLIENT, "scheduler": CLIENT}) == ()
    assert "nothing differs" in str(ClusterReport(2, ()))


def test_a_package_without_its_files_is_not_installed():
    found = surveyor(["cbmcube", "odc-stac", "no-such-package", "odc-nothing"])()
    assert found["no-such-package"] == ABSENT
    assert found["odc-nothing"] == ABSENT
    assert ABSENT not in (found["cbmcube"], found["odc-stac"], found["GDAL"])
    assert finder(["cbmcube", "no_such_package"])() == ["no_such_package"]


@pytest.mark.trap("T43")
def test_a_real_cluster_is_asked(monkeypatch):
    with local_cluster(workers=2, dashboard=False) as client:
        assert check_cluster(client) == ClusterReport(2, ())
        # a client that is said to be newer than its cluster
        monkeypatch.setattr(
            "cbmcube.cluster._check.survey_cluster",
            lambda _: ClusterReport(2, compare(CLIENT, {"scheduler": IMAGE})),
        )
        with pytest.raises(ClusterMismatchError, match="dask: 2026.8.0 on the client") as caught:
            check_cluster(client)
        assert "pip install 'dask==2025.7.0'" in str(caught.value)
        assert "zarr" not in str(caught.value)
        with pytest.warns(ClusterMismatchWarning, match="exactextract"):
            check_cluster(client, strict=False)


def test_without_workers_there_is_nothing_to_compare():
    with local_cluster(workers=1, dashboard=False) as client:
        client.cluster.scale(0)
        client.sync(client.scheduler.retire_workers, close_workers=True)
        while client.scheduler_info()["workers"]:
            pass
        with pytest.raises(ClusterMismatchError, match="wait_for_workers"):
            check_cluster(client)

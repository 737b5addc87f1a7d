from __future__ import annotations

import pytest
import rasterio
from odc.loader._rio import _CFG, capture_rio_env
from odc.stac import configure_rio
from rasterio._env import get_gdal_config

from cbmcube.cluster import GDAL_DEFAULTS, carried_options, read_options
from cbmcube.cluster._gdal import checked_environment
from cbmcube.exceptions import OptionError

CANARY = "c4n4ry-5161"
# The cache belongs to the process, not to a read.
FOR_READS = {name: text for name, text in GDAL_DEFAULTS.items() if name != "GDAL_CACHEMAX"}


@pytest.fixture
def rio():
    """odc-loader's configuration, as it was before at the end."""
    yield configure_rio
    _CFG._configured, _CFG._aws, _CFG._gdal_opts = False, None, {}


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in GDAL_DEFAULTS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.trap("T33")
def test_what_nobody_chose_is_not_carried_and_decided_at_the_read(monkeypatch):
    carried = carried_options(capture_rio_env())
    assert carried == {}
    assert read_options(carried) == FOR_READS
    # a worker's own environment is not overruled from afar
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "3")
    expected = {k: v for k, v in FOR_READS.items() if k != "GDAL_HTTP_MAX_RETRY"}
    assert read_options(carried) == expected


@pytest.mark.trap("T33")
def test_one_option_of_the_user_leaves_the_others():
    with rasterio.Env(GDAL_HTTP_TIMEOUT=30):
        captured = capture_rio_env()
    assert "GDAL_HTTP_MAX_RETRY" not in captured  # what odc-loader would carry alone
    assert read_options(carried_options(captured)) == {**FOR_READS, "GDAL_HTTP_TIMEOUT": 30}


@pytest.mark.trap("T33")
def test_what_configure_rio_says_is_carried(rio):
    rio(cloud_defaults=True, aws={"aws_unsigned": True}, GDAL_HTTP_TIMEOUT="30")
    carried = carried_options(capture_rio_env())
    assert carried["_aws"] == {"aws_unsigned": True}
    assert read_options(carried)["GDAL_HTTP_TIMEOUT"] == "30"
    assert read_options(carried)["GDAL_HTTP_CONNECTTIMEOUT"] == "10"


def test_rasterio_takes_the_options_of_a_read():
    with rasterio.Env(**read_options({})):
        assert get_gdal_config("GDAL_HTTP_CONNECTTIMEOUT", normalize=False) == "10"


@pytest.mark.trap("T34")
@pytest.mark.parametrize(
    "given",
    [
        {"aws": {"aws_access_key_id": CANARY, "aws_secret_access_key": CANARY}},
        {"aws": {"aws_session_token": CANARY}},
        {"GDAL_HTTP_HEADERS": f"Authorization: Bearer {CANARY}"},
        {"GDAL_HTTP_USERPWD": f"me:{CANARY}"},
        {"AZURE_STORAGE_SAS_TOKEN": CANARY},
        {"GDAL_HTTP_COOKIE": CANARY},
        {"GDAL_HTTP_BEARER": CANARY},
    ],
    ids=lambda given: next(iter(given)),
)
def test_a_secret_does_not_travel_in_a_graph(rio, given):
    rio(**given)
    with pytest.raises(OptionError, match="prepare_workers") as caught:
        carried_options(capture_rio_env())
    assert CANARY not in str(caught.value)


@pytest.mark.trap("T34")
def test_nor_one_that_rasterio_was_given():
    with rasterio.Env(GDAL_HTTP_HEADERS=f"X-Key: {CANARY}"), pytest.raises(OptionError) as caught:
        carried_options(capture_rio_env())
    assert "GDAL_HTTP_HEADERS" in str(caught.value)
    assert CANARY not in str(caught.value)


def test_variables_are_text_and_no_value_is_told():
    assert checked_environment(None) == {}
    assert checked_environment({"A": "1"}) == {"A": "1"}
    with pytest.raises(OptionError, match="TOKEN") as caught:
        checked_environment({"TOKEN": 123456})
    assert "123456" not in str(caught.value)


def test_the_defaults_cannot_be_changed():
    with pytest.raises(TypeError):
        GDAL_DEFAULTS["GDAL_HTTP_TIMEOUT"] = "1"

"""Where items may point at."""

from __future__ import annotations

import pytest

from cbmcube.catalog import AccessPolicy
from cbmcube.catalog._access import Gate, show
from cbmcube.exceptions import AccessError

API = "https://stac.example.com/v1"
REMOTE = Gate(AccessPolicy(), API)


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://data.example.com/a.tif?sig=1", "https://data.example.com/a.tif?sig=1"),
        ("HTTP://data.example.com/a.tif", "HTTP://data.example.com/a.tif"),
        ("s3://bucket/a.tif", "s3://bucket/a.tif"),
        ("./items/../a.tif", "https://stac.example.com/a.tif"),
        ("https://stac.example.com/a.tif", "https://stac.example.com/a.tif"),
    ],
)
def test_remote_catalogues_may_name_the_web(href, expected):
    assert REMOTE.resolve(href) == expected


HOSTILE = [
    "/etc/passwd",
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "file://fileserver/share/a.tif",
    "FILE:///etc/passwd",
    "/vsicurl/https://example.com/a.tif",
    "/vsicurl?header_file=/etc/passwd&url=https://example.com",
    "//vsizip/a.zip/b.tif",
    "/VSIZIP//etc/a.zip",
    "vrt:///etc/a.tif",
    "zip+https://example.com/a.zip!b.tif",
    "zip+file:///etc/a.zip",
    "https://example.com/a.zip!b.tif",
    "NETCDF:/etc/a.nc:x",
    "C:\\secrets.tif",
    "C:/secrets.tif",
    "data:text/plain,x",
    "$QFLAG_TIF",
    "",
    "  ",
    None,
    7,
    "https://user:password@example.com/a.tif",
    "https:///a.tif",
    "http://[::1/a.tif",
    "https://example.com\\@10.0.0.1/a.tif",
    "https://exa\nmple.com/a.tif",
    "http://127.0.0.1/a.tif",
    "http://localhost:8000/a.tif",
    "http://LOCALHOST./a.tif",
    "http://10.1.2.3/a.tif",
    "http://192.168.0.1/a.tif",
    "http://169.254.169.254/latest/meta-data",
    "http://[::1]/a.tif",
    "http://[fe80::1]/a.tif",
    "http://[::ffff:127.0.0.1]/a.tif",
    "http://2130706433/a.tif",
    "http://0x7f000001/a.tif",
    "http://127.1/a.tif",
    "http://database.internal/a.tif",
]


@pytest.mark.parametrize("href", HOSTILE)
def test_remote_catalogues_may_not_name_this_machine_or_its_network(href):
    with pytest.raises(AccessError):
        REMOTE.resolve(href)


def test_a_hostile_self_link_opens_nothing(tmp_path):
    local = Gate(AccessPolicy(), str(tmp_path / "season.json"))
    for gate in (REMOTE, local):
        with pytest.raises(AccessError):
            gate.resolve("/etc/passwd", "/etc/item.json")
    with pytest.raises(AccessError):
        local.resolve("../" * 9 + "etc/passwd", "/etc/item.json")
    climbed = REMOTE.resolve("../" * 9 + "etc/passwd", "/etc/item.json")
    assert climbed == "https://stac.example.com/etc/passwd"


def test_relative_hrefs_start_from_the_self_link():
    item = "https://items.example.com/c/i/item.json"
    assert REMOTE.resolve("./a.tif", item) == "https://items.example.com/c/i/a.tif"


def test_a_hub_may_serve_its_own_files():
    hub = Gate(AccessPolicy(), "http://127.0.0.1:8080/stac")
    assert hub.resolve("http://127.0.0.1:9000/a.tif") == "http://127.0.0.1:9000/a.tif"
    with pytest.raises(AccessError, match="not public"):
        hub.resolve("http://127.0.0.2:9000/a.tif")


def test_files_below_the_catalogue(tmp_path):
    folder = tmp_path / "season"
    (folder / "a").mkdir(parents=True)
    gate = Gate(AccessPolicy(), str(folder / "season.json"))
    wanted = str(folder / "a" / "b.tif")
    assert gate.resolve("./a/b.tif") == wanted
    assert gate.resolve("a/../a/b.tif") == wanted
    assert gate.resolve(wanted) == wanted
    assert gate.resolve(f"file://{folder}/a/b%2Etif") == wanted
    assert gate.resolve("s3://bucket/b.tif") == "s3://bucket/b.tif"
    for href in ("../b.tif", "a/../../b.tif", f"{folder}-other/b.tif", "/etc/passwd"):
        with pytest.raises(AccessError, match="local files"):
            gate.resolve(href)


def test_a_symbolic_link_does_not_lead_out(tmp_path):
    folder, outside = tmp_path / "season", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "link").symlink_to(outside)
    gate = Gate(AccessPolicy(), str(folder / "season.json"))
    with pytest.raises(AccessError, match="local files"):
        gate.resolve("link/a.tif")
    allowed = Gate(AccessPolicy(roots=(outside,)), str(folder / "season.json"))
    assert allowed.resolve("link/a.tif") == str(outside / "a.tif")


def test_a_policy_opens_what_it_names(tmp_path):
    roots = Gate(AccessPolicy(roots=(tmp_path,)), API)
    assert roots.resolve(f"{tmp_path}/a.tif") == f"{tmp_path}/a.tif"
    with pytest.raises(AccessError):
        roots.resolve("/etc/passwd")
    virtual = Gate(AccessPolicy(schemes=("vsizip",)), API)
    assert virtual.resolve("/vsizip/a.zip/b.tif") == "/vsizip/a.zip/b.tif"
    with pytest.raises(AccessError, match="scheme 'https'"):
        virtual.resolve("https://example.com/a.tif")


def test_a_list_of_hosts_is_exact():
    gate = Gate(AccessPolicy(hosts=("*.eodc.eu", "10.1.2.3", "bucket")), API)
    for href in ("https://DATA.eodc.eu/a.tif", "http://10.1.2.3/a.tif", "s3://bucket/a.tif"):
        assert gate.resolve(href) == href
    for href in ("https://eodc.eu.evil.com/a.tif", "https://evil.com/eodc.eu", "s3://other/a.tif"):
        with pytest.raises(AccessError, match="not allowed"):
            gate.resolve(href)


def test_relative_to_nothing():
    with pytest.raises(AccessError, match="relative to nothing"):
        Gate(AccessPolicy(), None, any_file=True).resolve("a.tif")


@pytest.mark.parametrize("href", ["https://u:secret@h/a?token=secret", "/data/a.tif?token=secret"])
def test_messages_hold_no_secrets(href):
    assert "secret" not in show(href)
    assert "a" in show(href)

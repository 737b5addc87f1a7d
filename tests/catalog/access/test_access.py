"""Where items may point at."""

from __future__ import annotations

import socket
import time

import pystac
import pytest

from cbmcube.catalog import (
    AccessPolicy,
    gate_items,
    is_inside,
    leads_inside,
    open_catalog,
    search,
)
from cbmcube.catalog.access._access import Gate, show
from cbmcube.exceptions import AccessError, OptionError, UnsupportedAssetError
from cbmcube.products import CARD_2A

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
    "http://0/a.tif",
    "http://0177.0.0.1/a.tif",
    "http://[::]/a.tif",
    "http://[fe80::1%25eth0]/a.tif",
    "http://[64:ff9b::7f00:1]/a.tif",
    "http://[2002:7f00:1::]/a.tif",
    "http://%31%32%37.0.0.1/a.tif",
    "http://\uff11\uff12\uff17.0.0.1/a.tif",
    "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/a.tif",
    "http://printer.\u24db\u24de\u24d2\u24d0\u24db/a.tif",
    "http://100.64.0.1/a.tif",
    "http://224.0.0.1/a.tif",
    "http://printer.local/a.tif",
    "file:///vsizip/etc/a.zip",
    "file:///%2Fvsicurl/https://example.com/a.tif",
    "s3://bucket:80/a.tif",
    "s3:///a.tif",
    "s3://key:secret@bucket/a.tif",
    "vrt:https://example.com/a.tif?bands=1",
    "MEM:::DATAPOINTER=1,PIXELS=1,LINES=1",
    "<VRTDataset/>\n",
    "gs://bucket/a.tif",
    "ftp://example.com/a.tif",
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
    virtual = Gate(AccessPolicy(schemes=("s3",)), API)
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


def test_a_policy_says_what_it_cannot_take():
    for name in ("schemes", "hosts", "roots", "prefer"):
        with pytest.raises(OptionError, match=f"{name} of an AccessPolicy takes a tuple"):
            AccessPolicy(**{name: "s3"})
    with pytest.raises(OptionError, match="virtual paths"):
        AccessPolicy(schemes=("https", "vsizip"))
    assert AccessPolicy(prefer="auto").prefer == "auto"


def test_files_that_the_caller_names_are_no_virtual_paths():
    mine = Gate(AccessPolicy(), None, any_file=True)
    assert mine.resolve("/data/a.tif") == "/data/a.tif"
    for href in ("/vsicurl/https://example.com/a.tif", "file:///vsizip/a.zip/b.tif"):
        with pytest.raises(AccessError, match="virtual path"):
            mine.resolve(href)


@pytest.fixture
def names(monkeypatch):
    """Answers of a name server; there is none here."""
    known = {
        "evil.example": ["93.184.216.34", "127.0.0.1"],
        "mapped.example": ["::ffff:10.0.0.1"],
        "scoped.example": ["fe80::1%eth0"],
        "inside.eodc.eu": ["10.1.2.3"],
        "good.example": ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"],
    }

    def answer(host, *_args, **_options):
        if host == "slow.example":
            time.sleep(1)
        if host not in known:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setattr("cbmcube.catalog.access._hosts.PATIENCE", 0.05)
    leads_inside.cache_clear()
    yield
    leads_inside.cache_clear()


@pytest.mark.usefixtures("names")
def test_a_name_that_leads_inside_is_refused():
    for host in ("evil.example", "mapped.example", "scoped.example", "EVIL.example."):
        with pytest.raises(AccessError, match="leads to a private network.*name it in"):
            REMOTE.resolve(f"https://{host}/a.tif")
    for host in ("good.example", "unknown.example", "slow.example"):
        REMOTE.resolve(f"https://{host}/a.tif")


def test_the_name_of_this_computer_leads_inside():
    """Asked of the system, not of a name server: it is in its file of hosts."""
    name = socket.gethostname()
    try:
        addresses = {one[4][0] for one in socket.getaddrinfo(name, None)}
    except OSError:
        pytest.skip("this computer does not know its own name")
    if not any(one.startswith(("127.", "10.", "192.168.", "172.", "::1")) for one in addresses):
        pytest.skip("this computer's name is a public one")
    assert not is_inside(name)
    with pytest.raises(AccessError, match="leads to a private network"):
        REMOTE.resolve(f"http://{name}/a.tif")


@pytest.mark.usefixtures("names")
def test_a_host_that_the_policy_names_may_lie_inside():
    trusting = Gate(AccessPolicy(hosts=("*.eodc.eu",)), API)
    assert trusting.resolve("https://inside.eodc.eu/a.tif")
    for everything in ("*", "*.*"):
        with pytest.raises(AccessError, match="private network"):
            Gate(AccessPolicy(hosts=(everything,)), API).resolve("https://inside.eodc.eu/a.tif")
        with pytest.raises(AccessError, match="not public"):
            Gate(AccessPolicy(hosts=(everything,)), API).resolve("https://10.1.2.3/a.tif")


def test_each_name_is_asked_for_once(monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: asked.append(host) or [])
    leads_inside.cache_clear()
    for number in range(5):
        REMOTE.resolve(f"https://data.example.com/{number}.tif")
    assert asked == ["data.example.com"]
    leads_inside.cache_clear()


def scene(href="https://data.example.com/a.tif", *, home=None, **fields):
    item = pystac.Item.from_dict(
        {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": "scene",
            "collection": "CARD-2A",
            "geometry": None,
            "properties": {"datetime": "2024-03-05T10:10:21Z"},
            "links": [{"rel": "self", "href": home}] if home else [],
            "assets": {"B04": {"href": href, "roles": ["data"]} | fields},
        }
    )
    item.add_asset("preview", pystac.Asset("http://10.0.0.1/a.png", roles=["thumbnail"]))
    return item


@pytest.mark.trap("T25")
def test_items_of_others_pass_the_same_gate(tmp_path):
    mine = scene(str(tmp_path / "a.tif"))
    assert gate_items([mine], None, CARD_2A)[0].assets["B04"].href == str(tmp_path / "a.tif")
    for home in ("https://stac.example.com/items/scene", "HTTPS://stac.example.com/items/scene"):
        with pytest.raises(AccessError, match="item 'scene', asset 'B04': local files") as caught:
            gate_items([scene(str(tmp_path / "a.tif"), home=home)], None, CARD_2A)
        assert "AccessPolicy" in str(caught.value)
    remote = scene("./a.tif", home="https://stac.example.com/items/scene.json")
    (gated,) = gate_items([remote], None, CARD_2A)
    assert gated.assets["B04"].href == "https://stac.example.com/items/a.tif"
    with pytest.raises(AccessError, match="item 'scene', asset 'B04'.*relative to nothing"):
        gate_items([scene("./a.tif")], None, CARD_2A)


def test_an_item_of_a_local_file_may_name_files_beside_it(tmp_path):
    item = scene("./a.tif")
    item.set_self_href(str(tmp_path / "item.json"))
    (gated,) = gate_items([item], None, CARD_2A)
    assert gated.assets["B04"].href == str(tmp_path / "a.tif")


def test_an_item_of_a_client_is_remote_without_a_self_link():
    item = scene("/etc/hostname")
    item.set_root(pystac.Catalog("api", "an API", href="https://stac.example.com/v1"))
    item.remove_links("self")
    with pytest.raises(AccessError, match="local files"):
        gate_items([item], None, CARD_2A)


def test_a_forged_self_link_opens_no_inside_host():
    home = "http://169.254.169.254/item.json"
    for href in ("http://169.254.169.254/a.tif", "./a.tif"):
        with pytest.raises(AccessError, match="not public"):
            gate_items([scene(href, home=home)], None, CARD_2A)


def test_gated_items_are_copies_without_what_may_not_be_read():
    item = scene()
    before = item.to_dict()
    (gated,) = gate_items([item], None, CARD_2A)
    assert gated is not item
    assert list(gated.assets) == ["B04"]
    assert item.to_dict() == before


def test_what_search_let_in_stays_as_it_is(tmp_path):
    path = tmp_path / "season.json"
    item = scene("./a.tif", home="https://stac.example.com/items/scene")
    pystac.ItemCollection([item], clone_items=False).save_object(str(path))
    policy = AccessPolicy(roots=(tmp_path,))
    text = path.read_text().replace("./a.tif", str(tmp_path / "a.tif"))
    path.write_text(text)
    found = search(open_catalog(path, access=policy), CARD_2A)
    assert gate_items(found.items)[0] is found.items[0]
    with pytest.raises(AccessError, match="local files"):
        gate_items([found.items[0].clone()])
    assert gate_items([found.items[0].clone()], policy)[0].assets["B04"].href.endswith("a.tif")


@pytest.mark.trap("T29")
@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"type": "application/vnd+zarr"}, "no raster file: application/vnd\\+zarr"),
        ({"type": "application/vnd.zarr; version=3"}, "no raster file: application/vnd.zarr"),
        ({"type": "image/tiff", "xarray:open_kwargs": {"engine": "zarr"}}, "no raster file"),
        ({"type": "application/x-netcdf"}, "no raster file: application/x-netcdf"),
        ({"type": "application/zip"}, "no raster file: application/zip"),
        ({"storage:tier": "tape"}, "not at hand: storage:tier 'tape'"),
        ({"storage:tier": "DEEP_ARCHIVE"}, "not at hand"),
        ({"order:status": "orderable"}, "not at hand: order:status 'orderable'"),
    ],
)
def test_what_is_no_raster_at_hand_is_refused_by_its_media_type(fields, match):
    with pytest.raises(UnsupportedAssetError, match=f"item 'scene', asset 'B04' is {match}"):
        gate_items([scene(**fields)], None, CARD_2A)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "image/tiff; application=geotiff; profile=cloud-optimized"},
        {"type": "image/jp2"},
        {"type": "application/octet-stream"},
        {"storage:tier": "STANDARD"},
        {"storage:tier": "GLACIER_IR"},
        {"order:status": "succeeded"},
    ],
)
def test_rasters_at_hand_are_let_in(fields):
    assert gate_items([scene(**fields)], None, CARD_2A)


@pytest.mark.trap("T29")
def test_real_zarr_items_are_refused(realdata):
    import json

    path = realdata / "stac-items" / "stac.eodc.eu__from_notebooks.json"
    features = json.loads(path.read_text())["features"]
    (zarr,) = [one for one in features if one["id"] == "clms-vpp"]
    item = pystac.Item.from_dict({"links": [], "geometry": None} | zarr, migrate=False)
    with pytest.raises(UnsupportedAssetError, match="asset 'data' is no raster file.*zarr"):
        gate_items([item])

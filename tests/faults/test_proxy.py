"""The proxy passes on what it should, and breaks what it is told to, always the same."""

from __future__ import annotations

import http.client
import time

import pytest

from benchmarks.faults.dice import Dice, Faults
from benchmarks.faults.http1 import Head
from benchmarks.faults.proxy import run_proxy
from tests.file_server import serve_files

CONTENT = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    (folder / "a.bin").write_bytes(CONTENT)
    with serve_files(folder, folder.parent / "requests.log") as server:
        yield server


@pytest.fixture(scope="module")
def running(server):
    with run_proxy(server.url, seed=5) as proxy:
        yield proxy


@pytest.fixture
def proxy(running):
    running.set()
    running.outage(0)
    running.forget()
    return running


def ask(proxy, method="GET", path="/a.bin", **headers):
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def fate(proxy, **headers):
    """How one request ends."""
    try:
        status, body, told = ask(proxy, **headers)
    except ConnectionError:
        return "reset"
    except http.client.IncompleteRead as cut:
        return f"cut at {len(cut.partial)}"
    asked = headers.get("Range", "").replace("=", " ")
    if status == 206 and not told["Content-Range"].startswith(asked):
        return "another range"
    return f"{status}" if body in (CONTENT, CONTENT[:4096], b"") or status == 503 else "wrong"


class TestPassing:
    def test_a_whole_file(self, proxy):
        status, body, _ = ask(proxy)
        assert (status, body) == (200, CONTENT)
        assert proxy.counts()["bytes"] == len(CONTENT)

    def test_a_range(self, proxy):
        status, body, told = ask(proxy, Range="bytes=300-1299")
        assert (status, body) == (206, CONTENT[300:1300])
        assert told["Content-Range"] == f"bytes 300-1299/{len(CONTENT)}"

    def test_a_head_has_no_body(self, proxy):
        status, body, told = ask(proxy, "HEAD")
        assert (status, body, told["Content-Length"]) == (200, b"", str(len(CONTENT)))

    def test_an_absent_file(self, proxy):
        assert ask(proxy, path="/b.bin")[0] == 404
        assert proxy.counts()["answers 404"] == 1

    def test_a_connection_serves_several_requests(self, proxy):
        connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=10)
        sockets = set()
        for _ in range(5):
            connection.request("GET", "/a.bin")
            assert connection.getresponse().read() == CONTENT
            sockets.add(id(connection.sock))
        connection.close()
        assert len(sockets) == 1
        assert proxy.counts()["requests GET"] == 5


class TestBreaking:
    @pytest.mark.parametrize(
        ("rates", "expected"),
        [
            ({"error": 1}, "503"),
            ({"reset": 1}, "reset"),
            ({"truncate": 1}, f"cut at {len(CONTENT) // 2}"),
            ({"stall": 1, "stall_seconds": 0.2}, "reset"),
        ],
    )
    def test_each_fault(self, proxy, rates, expected):
        proxy.set(**rates)
        start = time.monotonic()
        assert fate(proxy) == expected
        took = time.monotonic() - start
        assert took >= rates.get("stall_seconds", 0)
        (kind,) = (name for name in rates if name != "stall_seconds")
        assert proxy.counts()[f"fault {kind}"] == 1

    def test_another_range_says_so_or_lies(self, proxy):
        proxy.set(wrong_range=1)
        _, body, told = ask(proxy, Range="bytes=0-99")
        assert body == CONTENT[100:200]
        assert told["Content-Range"] == f"bytes 100-199/{len(CONTENT)}"
        proxy.set(wrong_range=1, honest_ranges=False)
        _, body, told = ask(proxy, Range="bytes=0-99")
        assert body == CONTENT[100:200]
        assert told["Content-Range"] == f"bytes 0-99/{len(CONTENT)}"

    def test_only_some_paths(self, proxy):
        proxy.set(error=1, only="/commits/")
        assert ask(proxy)[0] == 200
        assert ask(proxy, path="/commits/a")[0] == 503

    def test_an_outage_begins_and_ends(self, proxy):
        proxy.outage(60)
        assert fate(proxy) == "reset"
        proxy.outage(0)
        assert fate(proxy) == "200"
        assert proxy.counts()["fault outage"] == 1

    def test_rates_are_those_that_were_set_and_a_seed_repeats_them(self, proxy):
        proxy.set(error=0.2, reset=0.1, truncate=0.1)
        first = [fate(proxy) for _ in range(200)]
        proxy.forget()
        assert [fate(proxy) for _ in range(200)] == first
        # binomial: four standard deviations of 200 draws
        assert abs(first.count("503") / 200 - 0.2) < 4 * (0.2 * 0.8 / 200) ** 0.5
        assert abs(first.count("reset") / 200 - 0.1) < 4 * (0.1 * 0.9 / 200) ** 0.5

    def test_an_upstream_that_is_gone(self):
        with run_proxy("http://127.0.0.1:9") as proxy:
            assert fate(proxy) == "reset"


def put(target, *headers):
    return Head(f"PUT {target} HTTP/1.1", headers)


CREATE = ("If-None-Match", "*")
DONE, EXISTS = Head("HTTP/1.1 200 OK", ()), Head("HTTP/1.1 412 Precondition Failed", ())


class TestLostResponses:
    """Only of what was done, and not for ever."""

    def test_the_first_response_to_a_commit_is_lost(self):
        dice, faults = Dice(0), Faults(lost_commit=1)
        assert dice.loses(put("/k", CREATE), DONE, faults)
        assert not dice.loses(put("/k", CREATE), EXISTS, faults)
        assert not dice.loses(put("/k", CREATE), DONE, faults)
        assert dice.loses(put("/l", CREATE), DONE, faults)

    def test_a_refusal_is_never_lost(self):
        assert not Dice(0).loses(put("/k", CREATE), EXISTS, Faults(lost_commit=1))

    def test_other_requests_are_not_commits(self):
        get = Head("GET /k HTTP/1.1", ())
        for head in (put("/k"), get, get.plus(*CREATE)):
            assert not Dice(0).loses(head, DONE, Faults(lost_commit=1))
        assert Dice(0).loses(put("/k"), DONE, Faults(lost=1))

    def test_more_often_if_asked(self):
        dice, faults = Dice(0), Faults(lost=1, lost_times=3)
        assert [dice.loses(put("/k"), DONE, faults) for _ in range(5)] == [True] * 3 + [False] * 2


def test_faults_do_not_depend_on_what_else_is_asked():
    """Two clients that interleave meet the faults that each would meet alone."""
    faults = Faults(error=0.3, reset=0.3)
    one, other = (Head(f"GET /{name} HTTP/1.1", ()) for name in "ab")
    alone = Dice(1)
    expected = [alone.throw(one, faults) for _ in range(50)]
    mixed = Dice(1)
    found = []
    for _ in range(50):
        mixed.throw(other, faults)
        found.append(mixed.throw(one, faults))
    assert found == expected
    assert {"error", "reset", None} == set(found)


def test_the_control_port_takes_only_known_rates(proxy):
    with pytest.raises(TypeError, match="eror"):
        proxy.set(eror=1)

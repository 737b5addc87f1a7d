"""Bytes that are not those of the item are refused, once looked at, wherever the file lies."""

from __future__ import annotations

import hashlib
import os
import threading
import zipfile

import pytest
import rasterio.errors
from hypothesis import given
from hypothesis import strategies as st

from cbmcube.cube.reading import _checksum
from cbmcube.cube.reading._checksum import Promise, require_promised_bytes
from cbmcube.exceptions import OptionError, ReadError
from tests.file_server import serve_files

CONTENT = bytes(range(256)) * 20_000  # longer than one piece
LAST = len(CONTENT) - 1


def sha256(data):
    return "1220" + hashlib.sha256(data).hexdigest()


def md5(data):
    return hashlib.new("md5", data, usedforsecurity=False).hexdigest()


GOOD = Promise(len(CONTENT), sha256(CONTENT))


@pytest.fixture(autouse=True)
def _forget():
    for memory in (_checksum._verified, _checksum._failed, _checksum._busy):
        memory.clear()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def opened(monkeypatch):
    """The paths that were opened."""
    paths = []
    own = _checksum._opened

    def opened(path):
        paths.append(path)
        return own(path)

    monkeypatch.setattr(_checksum, "_opened", opened)
    return paths


@pytest.fixture
def server(tmp_path):
    (tmp_path / "served").mkdir()
    with serve_files(tmp_path / "served", tmp_path / "log") as server:
        yield server


def flip(path, place=LAST):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


class TestWhatIsCompared:
    @pytest.mark.parametrize(
        ("promise", "verify", "outcome"),
        [
            (GOOD, "checksum", "checksum"),
            (Promise(checksum=GOOD.checksum), "checksum", "checksum"),
            (Promise(checksum="d50110" + md5(CONTENT)), "checksum", "checksum"),
            (Promise(GOOD.size), "checksum", "size"),
            (GOOD, "size", "size"),
            (Promise(checksum=GOOD.checksum), "size", "nothing"),
            (GOOD, "none", "nothing"),
            (Promise(), "checksum", "nothing"),
        ],
    )
    def test_a_good_file(self, file, promise, verify, outcome):
        assert require_promised_bytes(str(file), promise, verify=verify) == outcome

    def test_an_empty_file(self, tmp_path):
        (tmp_path / "e").touch()
        promise = Promise(0, sha256(b""))
        assert require_promised_bytes(str(tmp_path / "e"), promise) == "checksum"

    @pytest.mark.parametrize("place", [0, len(CONTENT) // 2, LAST])
    def test_one_bit(self, file, place):
        flip(file, place)
        held = hashlib.sha256(file.read_bytes()).hexdigest()
        with pytest.raises(ReadError, match=r"checksum \(sha256\)") as caught:
            require_promised_bytes(str(file), GOOD)
        assert held in str(caught.value)
        assert GOOD.checksum[4:] in str(caught.value)
        assert require_promised_bytes(str(file), GOOD, verify="size") == "size"

    @pytest.mark.parametrize("verify", ["size", "checksum"])
    @pytest.mark.parametrize("change", [-1, 1])
    def test_another_size(self, file, verify, change):
        promise = Promise(len(CONTENT) + change, GOOD.checksum)
        with pytest.raises(ReadError, match="the size of the file is not") as caught:
            require_promised_bytes(str(file), promise, verify=verify)
        assert f"{len(CONTENT):,} bytes of the file" in str(caught.value)

    def test_a_size_that_differs_spares_reading(self, file, monkeypatch):
        def refuse(*_):
            yield pytest.fail("it was read")

        monkeypatch.setattr(_checksum, "_chunks", refuse)
        promise = Promise(1, GOOD.checksum)
        with pytest.raises(ReadError, match="the size"):
            require_promised_bytes(str(file), promise)

    def test_an_unknown_form_is_said_and_counts_as_none(self, file, caplog):
        promise = Promise(GOOD.size, "etag-123")
        assert require_promised_bytes(str(file), promise) == "size"
        assert "a checksum of unknown form is not checked: etag-123" in caplog.text

    def test_another_word(self, file):
        with pytest.raises(OptionError, match="verify='md5'"):
            require_promised_bytes(str(file), GOOD, verify="md5")

    def test_an_absent_file(self, tmp_path):
        with pytest.raises(rasterio.errors.RasterioIOError, match="cannot be opened"):
            require_promised_bytes(str(tmp_path / "no.tif"), GOOD)

    def test_a_file_that_ends_too_soon_is_no_other_checksum(self, file):
        """As one that is cut while it is read."""
        gdal = _checksum._library()
        handle = gdal.VSIFOpenL(str(file).encode(), b"rb")
        try:
            with pytest.raises(rasterio.errors.RasterioIOError, match="bytes before its end"):
                list(_checksum._chunks(gdal, handle, str(file), len(CONTENT) + 1))
        finally:
            gdal.VSIFCloseL(handle)

    @given(st.dictionaries(st.sampled_from(["file:size", "file:checksum"]), st.from_type(object)))
    def test_nonsense_in_items_counts_as_nothing(self, fields):
        promise = Promise.of(fields)
        assert promise.size is None or promise.size >= 0
        assert promise.checksum is None or isinstance(promise.checksum, str)

    def test_true_is_no_size(self):
        assert Promise.of({"file:size": True, "file:checksum": " "}) == Promise()


class TestOncePerFile:
    def test_a_file_is_read_once(self, file, opened):
        for _ in range(5):
            require_promised_bytes(str(file), GOOD)
        assert opened == [str(file)]

    def test_a_bad_file_is_read_once_too(self, file, opened):
        flip(file)
        said = set()
        for _ in range(5):
            with pytest.raises(ReadError) as caught:
                require_promised_bytes(str(file), GOOD)
            said.add(str(caught.value))
        assert opened == [str(file)]
        assert len(said) == 1

    def test_a_local_file_that_changed_is_read_again(self, file, opened):
        require_promised_bytes(str(file), GOOD)
        before = file.stat()
        flip(file)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
        with pytest.raises(ReadError):
            require_promised_bytes(str(file), GOOD)
        flip(file)
        require_promised_bytes(str(file), GOOD)
        assert len(opened) == 3

    def test_another_promise_is_another_matter(self, file):
        require_promised_bytes(str(file), GOOD)
        with pytest.raises(ReadError):
            require_promised_bytes(str(file), Promise(checksum=sha256(b"other")))

    def test_threads_wait_for_the_one_that_reads(self, file, opened):
        threads = [
            threading.Thread(target=require_promised_bytes, args=(str(file), GOOD))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert opened == [str(file)]

    def test_the_memory_is_bounded(self, file, monkeypatch):
        monkeypatch.setattr(_checksum, "_REMEMBERED", 3)
        for size in range(20):
            with pytest.raises(ReadError):
                require_promised_bytes(str(file), Promise(size))
        assert len(_checksum._failed) <= 4
        assert len(_checksum._busy) <= 4


class TestServers:
    def put(self, server, content, name="a.tif"):
        (server.folder / name).write_bytes(content)
        return f"{server.url}/{name}"

    def test_a_good_file(self, server):
        address = self.put(server, CONTENT)
        for token in ("one", "two"):
            found = require_promised_bytes(f"{address}?sig={token}", GOOD)
            assert found == "checksum"
        sent = [line for line in server.requests() if line.startswith("GET")]
        assert not any("two" in line for line in sent)

    def test_a_bad_file_is_asked_for_twice_and_no_more(self, server):
        address = self.put(server, CONTENT[:-1] + b"!")
        with pytest.raises(ReadError, match="checksum"):
            require_promised_bytes(address, GOOD)
        asked = len(server.requests())
        heads = [line for line in server.requests() if line.startswith("HEAD")]
        assert len(heads) == 2
        with pytest.raises(ReadError, match="checksum"):
            require_promised_bytes(address, GOOD)
        assert len(server.requests()) == asked

    def test_a_bad_file_is_asked_for_again_after_a_while(self, server, monkeypatch):
        address = self.put(server, CONTENT[:-1] + b"!")
        with pytest.raises(ReadError):
            require_promised_bytes(address, GOOD)
        self.put(server, CONTENT)
        monkeypatch.setattr(_checksum, "_FAILURE_SECONDS", -1.0)
        _checksum.forget_reads()
        assert require_promised_bytes(address, GOOD) == "checksum"

    def test_what_is_cut_off_is_no_other_checksum(self, server):
        """The server sends half of the file as if it were all: then the size tells."""
        self.put(server, CONTENT)
        with pytest.raises(ReadError, match="the size"):
            require_promised_bytes(f"{server.url}/cut/a.tif", GOOD)

    def test_secrets_are_not_repeated(self, server):
        address = f"{server.url}/none.tif?sig=s3cret"
        with pytest.raises(rasterio.errors.RasterioIOError) as caught:
            require_promised_bytes(address, GOOD)
        assert "s3cret" not in str(caught.value)


class TestArchives:
    @pytest.fixture
    def member(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("in/a.tif", CONTENT)
        return f"/vsizip/{{{tmp_path / 'a.zip'}}}/in/a.tif"

    def test_a_promise_of_the_member(self, member):
        assert require_promised_bytes(member, GOOD) == "checksum"

    def test_a_promise_of_the_archive(self, member, tmp_path):
        data = (tmp_path / "a.zip").read_bytes()
        assert require_promised_bytes(member, Promise(len(data), sha256(data))) == "checksum"
        assert require_promised_bytes(member, Promise(None, sha256(data))) == "checksum"

    def test_of_neither(self, member):
        with pytest.raises(ReadError, match="the checksum"):
            require_promised_bytes(member, Promise(None, sha256(b"other")))
        with pytest.raises(ReadError, match="the size"):
            require_promised_bytes(member, Promise(7, sha256(b"other")))

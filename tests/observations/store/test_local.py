"""Stores in folders: what is on disk before what, and disks that refuse or are full."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cbmcube.exceptions import (
    ConflictError,
    StoreAccessError,
    StoreFullError,
    StoreUnavailableError,
)
from cbmcube.observations.store import create_store, open_store
from cbmcube.observations.store._probe import forget_probes
from cbmcube.warnings import SingleWriterWarning
from tests.observations.store.units import RECIPE, commit, key_of, put_plan, rows_of

ROOT = Path(__file__).parents[3]


@pytest.fixture
def calls(monkeypatch):
    """What the system is asked to do, in its order; folders and files by their kind."""
    seen = []

    def kind(path):
        parts = Path(path).parts
        found = [p for p in ("tmp", "parts", "commits", "snapshots", "probe") if p in parts]
        return found[0] if found else Path(path).name

    fsync, link = os.fsync, os.link

    def note_fsync(handle):
        seen.append(("sync", kind(Path(f"/proc/self/fd/{handle}").readlink())))
        fsync(handle)

    def note_link(source, target):
        seen.append(("link", kind(target)))
        link(source, target)

    replace = Path.replace

    def note_replace(self, target):
        seen.append(("rename", kind(target)))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "link", note_link)
    monkeypatch.setattr(Path, "replace", note_replace)
    return seen


def test_a_power_cut_can_only_lose_the_last_step(store, calls):
    """Each object's bytes, then its name, then the next object's; folders exist from before."""
    commit(store, "a")
    calls.clear()
    store.objects.backend._known.clear()
    commit(store, "a", table=rows_of("a"))
    assert calls == [
        ("sync", "tmp"),  # the part's bytes
        ("rename", "parts"),
        ("sync", "parts"),
        ("sync", "tmp"),  # the record's bytes
        ("link", "commits"),
        ("sync", "commits"),
    ]


def test_new_folders_are_on_disk_before_what_is_in_them(store, calls):
    store.safe_writers  # noqa: B018  # the probe has calls of its own
    calls.clear()
    commit(store, "a")
    names = [name for what, name in calls if what == "sync"]
    # The new folder's own name lies in the folder above, and that in the store's.
    assert names == ["tmp", "store", "parts", "parts", "store", "commits", "tmp", "commits"]


def test_the_probe_leaves_nothing(ram):
    forget_probes()
    store = create_store(ram / "store", RECIPE)
    assert store.safe_writers
    assert list((ram / "store" / "probe").iterdir()) == []
    assert list((ram / "store" / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_disk_without_links_has_one_writer(ram, monkeypatch, number):
    """As exFAT and some network disks; the warning comes once for each process."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    forget_probes()
    monkeypatch.setattr(os, "link", refuse)
    with pytest.warns(SingleWriterWarning, match="only one run") as caught:
        store = create_store(ram / "store", RECIPE)
    made = commit(store, "a")
    assert not store.safe_writers
    assert commit(open_store(store.url), "a") == made
    snapshot = store.publish(plan=put_plan(store, ["a"]), keys=[made.key])
    assert store.snapshot().root == snapshot.root
    with pytest.raises(ConflictError):
        commit(store, "a", table=rows_of("b"))
    assert store.commits() == [made]
    assert len(caught) == 1
    assert list((ram / "store" / "tmp").iterdir()) == []
    forget_probes()


def test_a_disk_that_overwrites_has_one_writer(ram, monkeypatch):
    """A link that replaces what is there keeps nobody apart."""
    forget_probes()
    monkeypatch.setattr(
        os, "link", lambda source, target: Path(target).write_bytes(Path(source).read_bytes())
    )
    with pytest.warns(SingleWriterWarning):
        store = create_store(ram / "store", RECIPE)
    assert not store.safe_writers
    assert list((ram / "store" / "probe").iterdir()) == []
    forget_probes()


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, StoreFullError),
        (errno.EDQUOT, StoreFullError),
        (errno.EACCES, StoreAccessError),
        (errno.EROFS, StoreAccessError),
        (errno.EIO, StoreUnavailableError),
        (errno.ESTALE, StoreUnavailableError),
    ],
)
def test_what_the_system_says_is_told(store, ram, monkeypatch, number, error):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(error, match="next:"):
            commit(store, "a")
    assert store.committed() == set()
    assert list((ram / "store" / "tmp").iterdir()) == []
    assert commit(store, "a").rows == 6


def test_a_disk_that_cannot_sync_folders_will_do(store, monkeypatch):
    fsync = os.fsync

    def refuse_folders(handle):
        if Path(f"/proc/self/fd/{handle}").is_dir():
            raise OSError(errno.EINVAL, "no")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    assert commit(store, "a").rows == 6


READ_ONLY = """
import os, sys
from cbmcube.exceptions import StoreAccessError
from cbmcube.observations.store import open_store
import cbmcube.observations.store._local  # nobody may perhaps not enter this folder
from tests.observations.store.units import commit, key_of
if os.getuid() == 0:
    os.setuid(65534)
store = open_store(sys.argv[1])
assert store.committed() == {key_of("a")}
assert store.snapshot().parts.num_rows == 1
try:
    commit(store, "b")
except StoreAccessError as error:
    assert "check the rights" in str(error), error
    assert store.committed() == {key_of("a")}
    print("refused")
"""


def test_a_store_that_may_only_be_read(store, ram):
    commit(store, "a")
    store.publish(plan=put_plan(store, ["a"]), keys=[key_of("a")])
    ram.chmod(0o755)
    for folder, _, _ in os.walk(ram / "store"):
        Path(folder).chmod(0o555)
    command = [sys.executable, "-c", READ_ONLY, str(ram / "store")]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    finally:
        for folder, _, _ in os.walk(ram / "store"):
            Path(folder).chmod(0o755)
    assert done.stdout == "refused\n", done.stderr


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs the rights of root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def test_a_full_disk_stops_a_run_that_can_go_on(small_disk, ram):
    """What was committed stays; with space again, the run ends as an undisturbed one does."""
    names = [str(number) for number in range(12)]
    whole = create_store(ram / "whole", RECIPE)
    for name in names:
        commit(whole, name)
    root = whole.publish(plan=put_plan(whole, names), keys=whole.committed()).root

    ballast = small_disk / "ballast"
    (small_disk / "store").mkdir()
    store = create_store(small_disk / "store", RECIPE)
    ballast.write_bytes(b"0" * (256 * 1024 - 24 * 4096))

    def run():
        for name in names:
            if key_of(name) not in store.committed():
                commit(store, name)

    with pytest.raises(StoreFullError, match="free space and run again"):
        run()
    done = store.committed()
    assert 0 < len(done) < len(names)
    assert len(store.commits()) == len(done)
    for made in store.commits():
        assert store.read_part(made.part).num_rows == 6
    assert list((small_disk / "store" / "tmp").iterdir()) == []
    ballast.unlink()
    run()
    assert store.publish(plan=put_plan(store, names), keys=store.committed()).root == root

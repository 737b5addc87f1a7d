from __future__ import annotations

import pytest

from cbmcube.cluster import gateway_cluster
from cbmcube.cluster._gateway import _checked_workers, _teller
from cbmcube.exceptions import OptionError


@pytest.mark.parametrize(
    ("given", "found"), [(None, 1), (1, 1), (8, 8), ((1, 1), (1, 1)), ((2, 16), (2, 16))]
)
def test_workers_are_a_number_or_the_least_and_the_most(given, found):
    assert _checked_workers(given) == found


@pytest.mark.parametrize(
    "given", [0, -1, (0, 4), (4, 2), (1, 2, 3), (1,), 2.0, "4", True, (1, None)]
)
def test_other_workers_are_refused_before_anybody_is_asked(given):
    with (
        pytest.raises(OptionError, match="the least and the most"),
        gateway_cluster("http://127.0.0.1:1", workers=given),
    ):
        pass


@pytest.mark.parametrize("name", ["timeout", "orphan_timeout"])
@pytest.mark.parametrize("seconds", [0, -5, float("nan")])
def test_times_are_positive(name, seconds):
    with (
        pytest.raises(OptionError, match=f"{name} must be more than 0"),
        gateway_cluster("http://127.0.0.1:1", **{name: seconds}),
    ):
        pass


def test_wrong_keys_are_told_before_anybody_is_asked():
    with (
        pytest.raises(OptionError, match="must be text"),
        gateway_cluster("http://127.0.0.1:1", env={"A": 5}),
    ):
        pass


def test_progress_goes_where_it_is_wanted(capsys):
    lines = []
    for progress in (True, False, lines.append):
        _teller(progress)("one line")
    assert lines == ["one line"]
    assert capsys.readouterr() == ("", "one line\n")

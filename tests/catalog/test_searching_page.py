"""The page on searching shows code that runs, and says what is so."""

from __future__ import annotations

import pandas as pd
import pytest

from cbmcube.catalog import from_opensearch
from cbmcube.catalog.access import _door
from cbmcube.catalog.searching import _outline
from tests.pages.fences import ROOT, find_blocks
from tests.pages.stage import play

PAGE = ROOT / "docs" / "searching.md"
CELLS = [block for block in find_blocks(PAGE) if block.language == "{code-cell}"]


@pytest.mark.filterwarnings("ignore::cbmcube.warnings.RepairedParcelsWarning")
def test_the_cells_run_and_show_what_the_text_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shown = [values[-1] for values in play(CELLS).shown.values() if values[-1] is not None]
    _, condition, same, dropped, passes, classes, _frozen, unchanged = shown
    assert repr(condition).startswith("(eo:cloud_cover < 60 OR eo:cloud_cover IS NULL) AND ")
    assert same is True
    assert unchanged is True
    assert isinstance(dropped, pd.DataFrame)
    assert set(passes["state"]) <= {"found", "not found"}
    assert classes == {"loadable"}
    assert "items kept" in capsys.readouterr().out


def test_the_numbers_of_the_page():
    text = PAGE.read_text()
    assert f"at most {_outline.MAX_VERTICES} vertices" in text
    assert f"after {_door.MAX_BYTES // 2**20} MiB" in text
    assert {5: "five"}[_door.ATTEMPTS] in text
    assert {120: "two minutes"}[_door.LONGEST_WAIT] in text


def test_the_adapter_s_lines_run():
    [item] = from_opensearch(
        [{"properties": {"title": "a", "productType": "b", "startDate": "2024-03-05"}}],
        assets={"VV": "{path}/VV.tif", "VH": "{path}/VH.tif"},
    )
    assert set(item.assets) == {"VV", "VH"}

"""The list of products is a tuple that reads as a table."""

from __future__ import annotations

from html.parser import HTMLParser

from cbmcube.products import CARD_2A, CARD_BS, CARD_COH6, GFM, Products, list_products


def test_the_list_is_a_tuple_of_all_products():
    assert list_products() == (CARD_2A, CARD_BS, CARD_COH6, GFM)


def test_every_name_stands_in_its_row():
    lines = repr(list_products()).splitlines()
    starts = [lines[0].index(head) for head in ("name", "bands", "profiles", "title")]
    assert starts[0] == 0
    rows = [line for line in lines[1:] if line[0] != " "]
    assert [row.split()[0] for row in rows] == ["CARD-2A", "CARD-BS", "CARD-COH6", "GFM"]
    assert rows[1][starts[1] :].startswith("VV VH ")
    assert "planetary-computer-rtc" in rows[1][starts[2] : starts[3]]
    assert max(map(len, lines)) < 160
    words = repr(list_products()).split()
    for product in list_products():
        assert {profile.name for profile in product.profiles} <= {w.strip("*") for w in words}
    assert {word for word in words if word.endswith("*")} == {"sen2like*", "eodc-sig0*", "eodc*"}


def test_the_html_holds_the_same_cells_and_escapes_them():
    found = []
    parser = HTMLParser()
    parser.handle_data = found.append
    parser.feed(list_products()._repr_html_())
    assert found[:4] == ["name", "bands", "profiles", "title"]
    assert found[4::4] == ["CARD-2A", "CARD-BS", "CARD-COH6", "GFM"]
    hostile = Products((CARD_BS.__class__("<b>", "a & b", CARD_BS.bands, (), 12),))
    assert "&lt;b&gt;" in hostile._repr_html_()
    assert "a &amp; b" in hostile._repr_html_()

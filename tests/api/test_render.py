"""Values as bytes."""
from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudkitty_like.api.render import csv_bytes, json_bytes, naive, with_offset, xml_bytes

WHEN = datetime(2026, 11, 1, 2, tzinfo=timezone(timedelta(hours=2)))
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(), inner, max_size=3))


def test_v1_writes_utc_without_saying_so_and_v2_with_its_offset():
    assert naive(WHEN) == "2026-11-01T00:00:00"
    assert with_offset(WHEN) == "2026-11-01T00:00:00+00:00"
    assert naive(datetime(2026, 11, 1, 0, 0, 0, 5, tzinfo=UTC)) == "2026-11-01T00:00:00.000005"
    assert naive(None) is with_offset(None) is None


def test_json_is_utf8():
    assert json_bytes({"a": ["é", None, 1.5]}) == '{"a": ["é", null, 1.5]}'.encode()


def test_csv_of_many_rows_comes_in_pieces_and_whole():
    pieces = list(csv_bytes(["a", "b"], ([number, None] for number in range(1200))))
    assert len(pieces) == 3
    rows = list(csv.reader(b"".join(pieces).decode().splitlines()))
    assert (rows[0], rows[1], rows[-1], len(rows)) == (["a", "b"], ["0", ""], ["1199", ""], 1201)


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_label_is_no_formula(cell):
    assert b"".join(csv_bytes(["a"], [[cell]])).decode().split("\r\n", 1)[1].strip('"\r\n').startswith("'")


@pytest.mark.parametrize("cell", ["-1.5", "+7", "plain", "a=b"])
def test_numbers_and_texts_stay_as_they_are(cell):
    assert b"".join(csv_bytes(["a"], [[cell]])).decode() == f"a\r\n{cell}\r\n"


def test_xml_has_elements_for_members_items_and_nothing():
    root = ElementTree.fromstring(xml_bytes({"modules": [{"enabled": True, "priority": 1, "unit": None}]}))
    item = root.find("modules/item")
    assert root.tag == "result"
    assert [(part.tag, part.text, part.attrib) for part in item] == [
        ("enabled", "true", {}), ("priority", "1", {}), ("unit", None, {"nil": "true"})]


@given(JSON)
def test_xml_is_well_formed_whatever_the_names_and_texts(value):
    ElementTree.fromstring(xml_bytes(value))


def test_i8_m16_json_has_the_separators_that_cloudkitty_has():
    value = {"a": [1, 2.5, None, True], "b": {"c": "x,y:z", "d": []}, "é": {}}
    assert json_bytes(value) == json.dumps(value, ensure_ascii=False).encode()

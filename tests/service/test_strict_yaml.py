from decimal import Decimal

import pytest

from cloudkitty_like.domain.errors import Invalid
from cloudkitty_like.service.strict_yaml import YamlMapping, YamlText, load


def test_numbers_are_decimals_with_every_digit_as_written():
    assert load("[0.1, 0.10, 1e3, .5, -2, +1.5, 1_000]") == [
        Decimal("0.1"), Decimal("0.10"), Decimal(1000), Decimal("0.5"), Decimal(-2), Decimal("1.5"), Decimal(1000)]
    assert str(load("0.10")) == "0.10"
    assert load("1_000").written == "1_000"
    assert load("0.1234567890123456789012345678901234567890") == Decimal("0.1234567890123456789012345678901234567890")


def test_octal_sexagesimal_hexadecimal_and_infinity_are_no_numbers():
    assert load("[010, 1:30, 0x10, .inf, .nan]") == [Decimal(10), "1:30", "0x10", ".inf", ".nan"]


def test_a_quoted_number_is_text():
    found = load("'8'")
    assert found == "8"
    assert isinstance(found, YamlText)


def test_a_date_stays_text():
    assert load("[2026-01-01, 2026-01-01T10:00:00Z]") == ["2026-01-01", "2026-01-01T10:00:00Z"]


def test_null_and_booleans():
    assert load("[~, null, , yes, Off, TRUE, !!str yes]".replace(" ,", "", 1)) == [None, None, True, False, True, "yes"]
    assert load("") is None
    assert load("# only a comment") is None


def test_a_key_is_what_was_written():
    assert load("{8: a, on: b, 1.50: c}") == {"8": "a", "on": "b", "1.50": "c"}


def test_a_table_knows_its_lines():
    table = load("a: 1\nb:\n  c: 2\n")
    assert isinstance(table, YamlMapping)
    assert (table.line, table.lines) == (1, {"a": 1, "b": 2})
    assert table["b"].lines == {"c": 3}


def test_anchors_aliases_and_merges():
    assert load("a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\nd: {<<: [{p: 5}, *x]}") == {
        "a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 2}, "c": {"q": 3, "p": 1}, "d": {"p": 5, "q": 2}}


@pytest.mark.parametrize(("text", "line", "reason"), [
    ("a: 1\na: 2", 2, "twice"),
    ("a: !!python/object/apply:os.system [x]", 1, "not allowed"),
    ("a: !!int '1'", 1, "not allowed"),
    ("a: !!set {x}", 1, "not allowed"),
    ("a: [1\nb: 2\n", 2, "expected"),
    ("&a [*a]", 1, "nothing before"),
    ("x: 1\na: *b", 2, "nothing before"),
    ("\t- x", 1, "a tab"),
    ("? [1]\n: 2", 1, "key must be text"),
    ("a: 1e99999999", 1, "out of range"),
    ("---\na\n---\nb", 3, "second document"),
    ("a: {<<: 1}", 1, "merges"),
    ("[" * 300_000 + "]" * 300_000, 1, "nest"),
    ("\n".join(" " * i + "a:" for i in range(2000)), 52, "nest"),
])
def test_what_is_no_such_document_is_refused_with_its_line(text, line, reason):
    with pytest.raises(Invalid, match=reason) as refused:
        load(text, "rules.yml")
    assert str(refused.value).startswith(f"rules.yml: line {line}: ")


def test_a_control_character_is_refused():
    with pytest.raises(Invalid, match="not YAML"):
        load("a: \x00")


def test_aliases_cannot_blow_up():
    lines = ["a: &a [1,1,1,1,1,1,1,1,1,1]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]" for i in range(9)]
    with pytest.raises(Invalid, match="aliases counted"):
        load("\n".join(lines))


def test_a_long_document_is_refused_before_it_is_read():
    with pytest.raises(Invalid, match="longer than"):
        load("a" * 4_000_001)


@pytest.mark.parametrize(("text", "line"), [
    ("metrics:\n\tcpu: 1\n", 2), ("a:\n  b: 1\n\tc: 2\n", 3), ("a: GiB\r\n \tb: 1\r\n", 2),
    ("services:\n  x:\n  \t- cost: 1\n", 3)])
def test_i8_small_a_tab_in_the_indentation_is_called_a_tab(text, line):
    with pytest.raises(Invalid, match=rf"^rules\.yml: line {line}: is indented with a tab; YAML indents with spaces"):
        load(text, "rules.yml")


@pytest.mark.parametrize("text", ["a: {\n\tb: 1}\n", "a:\t1\n", "a: |\n  x\n  \ty\n"])
def test_i8_small_a_tab_where_yaml_allows_it_is_no_mistake(text):
    assert list(load(text)) == ["a"]


def test_i8_small_another_mistake_is_not_put_down_to_tabs():
    with pytest.raises(Invalid) as error:
        load("a:\t[1\nb: 2\n")
    assert "tab" not in str(error.value)

# ruff: noqa: E501 (tables of examples)
"""YAML as two readers take it, places, limits, and text made to hurt a parser."""

import time
import tracemalloc
from pathlib import Path

import pytest

from scripts.config import readings, yamlfile
from scripts.errors import UserError

FILE = Path("x.yml")


def said(text: str) -> list[str]:
    return [str(each) for each in yamlfile.parse(text, FILE)[1]]


AMBIGUOUS = {
    "2e-5": "x.yml:1:4: $.a: '2e-5' is the text '2e-5' for Axolotl and the number 0.00002 for YAML 1.2 (write 0.00002, or quote it)",
    "08": "is the text '08' for Axolotl and the number 8 for YAML 1.2",
    "1e3": "is the text '1e3' for Axolotl and the number 1000.0 for YAML 1.2",
    "no": "'no' is false for Axolotl and the text 'no' for YAML 1.2 (write false, or quote it)",
    "Yes": "'Yes' is true for Axolotl and the text 'Yes' for YAML 1.2",
    "on": "'on' is true for Axolotl",
    "OFF": "'OFF' is false for Axolotl",
    "010": "'010' is the number 8 for Axolotl and the number 10 for YAML 1.2 (write 8 or 10, or quote it)",
    "01234567890": "for Axolotl and the number 1234567890 for YAML 1.2",
    "0o17": "'0o17' is the text '0o17' for Axolotl and the number 15 for YAML 1.2",
    "0b11": "'0b11' is the number 3 for Axolotl and the text '0b11' for YAML 1.2",
    "1_000": "'1_000' is the number 1000 for Axolotl and the text '1_000' for YAML 1.2 (write 1000, or quote it)",
    "1:30": "'1:30' is the number 90 for Axolotl and the text '1:30' for YAML 1.2",
    "190:20:30.15": "is the number 685230.15 for Axolotl",
    "2024-05-01": "'2024-05-01' is a date for Axolotl and the text '2024-05-01' for YAML 1.2 (quote it)",
    "2024-05-01 10:00:00": "is a date for Axolotl",
    "2001-99-99": "'2001-99-99' can't be read as a value",
    ".inf": "'.inf' is not a finite number",
    "-.INF": "is not a finite number",
    ".nan": "'.nan' is not a finite number",
    "1e400": "that is no finite number",
    "=": "'=' can't be read as a value",
    "9" * 5000: "is too long for a number",
}
ALIKE = [
    "1",
    "-1",
    "0x1F",
    "0.5",
    ".5",
    "1.",
    "1.5e+3",
    "true",
    "False",
    "null",
    "~",
    "y",
    "text",
    "'2e-5'",
    '"no"',
    "0.0002",
    "a:b",
    "1.2.3",
]


@pytest.mark.parametrize("text", AMBIGUOUS, ids=lambda text: text[:20])
def test_what_two_readers_take_differently_shows_both(text):
    assert AMBIGUOUS[text] in "\n".join(said(f"a: {text}"))


@pytest.mark.parametrize("text", ALIKE)
def test_what_they_take_alike_passes(text):
    document, problems = yamlfile.parse(f"a: {text}", FILE)
    assert problems == [] and document.places["$.a"] == (1, 1)


def test_every_number_that_is_advised_is_read_alike():
    for number in (0.00002, 1e-9, 5e-324, 1e22, 1500.0, -0.0005, 8, 1e300):
        assert said(f"a: {readings.written(number)}") == []
        assert yamlfile.parse(f"a: {readings.written(number)}", FILE)[0].value["a"] == pytest.approx(number, abs=1e-20)


def test_places_of_keys_and_of_what_is_missing():
    document = yamlfile.parse("a: 1\nlist:\n  - path: x\n    type: y\n", FILE)[0]
    assert document.places["$.list[0].type"] == (4, 5)
    assert str(document.problem("$.list[0].nothing.here", "wrong")) == "x.yml:3:5: $.list[0].nothing.here: wrong"


def test_double_keys_show_both_lines():
    assert said("a: 1\nb: {c: 1, c: 2}\na: 2\n") == [
        "x.yml:2:11: $.b.c: 'c' stands here and in line 2: Axolotl takes the last, YAML 1.2 refuses the file (keep one)",
        "x.yml:3:1: $.a: 'a' stands here and in line 1: Axolotl takes the last, YAML 1.2 refuses the file (keep one)",
    ]


REFUSED = {
    "a: &x 1\nb: *x": "the anchor &x is refused",
    "b: *x": "the alias *x is refused",
    "<<: {a: 1}": "'<<' is no text for Axolotl",
    "on: 1": "'on' is no text for Axolotl, so it can't be a key",
    "1: 2": "'1' is no text for Axolotl, so it can't be a key",
    "? [a]\n: 1": "can't be a key",
    "? {a: 1}\n: 1": "can't be a key",
    "a: !!python/object/apply:os.system [id]": "the tag tag:yaml.org,2002:python/object/apply:os.system is refused",
    "a: !!binary aGk=": "the tag tag:yaml.org,2002:binary is refused",
    "a: !env SECRET": "the tag !env is refused",
    "%TAG ! tag:evil,2000:\n---\na: !b 1": "a %TAG directive is refused",
    "a:\n\t- b": "x.yml:2:1: not YAML:",
    "a: [1, 2": "not YAML:",
    "a: 'b": "not YAML:",
    "a: b: c": "not YAML:",
    "---\na: 1\n---\nb: 2": "another document",
    "a: \x07": "not YAML:",
    "": "the file is empty",
    "# only a comment": "the file is empty",
    "[" * 21 + "]" * 21: "nested deeper than 20",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:20])
def test_refused_with_a_reason(text):
    assert REFUSED[text] in "\n".join(said(text))


def laughs(levels: int, width: int, collection: str) -> str:
    opening, closing = collection
    lines = [f"a0: &a0 {opening}{', '.join(['x'] * width)}{closing}"]
    lines += [f"a{n}: &a{n} {opening}{', '.join([f'*a{n - 1}'] * width)}{closing}" for n in range(1, levels)]
    return "\n".join(lines)


BOMBS = [laughs(levels, width, "[]") for levels in (3, 9, 50, 400) for width in (2, 10, 60)]
BOMBS += ["[" * depth for depth in (21, 100, 1_000, 100_000)] + ["{a: " * depth for depth in (21, 1_000, 50_000)]
BOMBS += ["- " * depth + "x" for depth in (21, 1_000, 100_000)] + ["? " * depth + "x" for depth in (21, 1_000, 50_000)]
BOMBS += [
    "a: &a [*a]",
    "&a {*a : 1}",
    "a: &a {b: &b {c: [*a, *b]}}",
    "<<: [*x, *x]",
    "a: " + "9" * 200_000,
    "a: 0x" + "f" * 4_000 + "\nb: *c",
]
BOMBS += [
    "a: 1" + ":59" * 60_000,
    "a: " + "!" * 1_000 + "x",
    "a: '" + "x" * 250_000,
    "\n".join(f"k{n % 7}: {n}" for n in range(20_000)),
    'a: "' + "\\U0010FFFF" * 20_000 + '\\q"',
]


@pytest.mark.parametrize("number", range(len(BOMBS)))
def test_bombs_are_refused_quickly_and_in_little_memory(number):
    start = time.process_time()
    problems = yamlfile.parse(BOMBS[number], FILE)[1]
    spent = time.process_time() - start
    tracemalloc.start()
    yamlfile.parse(BOMBS[number], FILE)
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problems and all(each.line and each.col for each in problems)
    assert spent < 0.1
    assert memory < 100_000_000


def test_there_are_thirty_bombs():
    assert len(BOMBS) >= 30


def test_files(tmp_path):
    file = tmp_path / "x.yml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert yamlfile.load(file).value == {"a": 1, "b": 2}  # a byte order mark and CRLF are fine
    file.write_bytes("a: é\n".encode("latin-1"))
    with pytest.raises(UserError, match="1:1: not UTF-8 at byte 3"):
        yamlfile.load(file)
    file.write_text("a: " + "x" * 300_000)
    with pytest.raises(UserError, match="larger than 256 KB"):
        yamlfile.load(file)
    with pytest.raises(UserError, match="no such file"):
        yamlfile.load(tmp_path / "none.yml")


def test_json_has_places_and_no_yaml_readings(tmp_path):
    file = tmp_path / "x.json"
    document, problems = yamlfile.parse_json('{"a": 2e-5,\n "b": {"c": 1}}', file)
    assert (document.value, problems, document.places["$.b.c"]) == ({"a": 2e-5, "b": {"c": 1}}, [], (2, 8))
    assert "keep one" in str(yamlfile.parse_json('{"a": 1, "a": 2}', file)[1][0])
    assert "1:7: not JSON" in str(yamlfile.parse_json('{"a": }', file)[1][0])

"""Recipes: what is refused and how, the language of phrasings, dates and numbers in words, noise."""

import random
import re
from pathlib import Path

import pytest

from scripts.data import dialogue, person, phrasing, recipe, spoken
from scripts.data.noise import Noise, plain
from scripts.data.phrasing import Piece, expand, parse, phrase_list
from scripts.errors import UserError
from scripts.paths import DATASETS
from scripts.score.metrics import score

VALID = sorted(Path("tests/valid/recipe").glob("*.yml"))
INVALID = sorted(Path("tests/invalid/recipe").glob("*.yml"))


def put(folder: Path, text: str) -> Path:
    (folder / "recipe.yml").write_text(text, encoding="utf-8")
    return folder


def test_there_are_examples():
    assert len(VALID) >= 1 and len(INVALID) >= 15


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_valid(file, tmp_path):
    assert recipe.load(put(tmp_path, file.read_text(encoding="utf-8")))["source"] == "dialogues"


@pytest.mark.parametrize("file", INVALID, ids=lambda file: file.stem)
def test_invalid_says_what_and_where(file, tmp_path):
    text = file.read_text(encoding="utf-8")
    with pytest.raises(UserError) as error:
        recipe.load(put(tmp_path, text))
    wanted = text.splitlines()[0].removeprefix("# ")
    told = [str(problem) for problem in error.value.problems]
    assert any(wanted in line for line in told), told
    assert all(re.match(r".*recipe\.yml:\d+", line) for line in told)


def test_a_wrong_phrasing_is_reported_at_its_own_line(tmp_path):
    text = Path("tests/invalid/recipe/unknown_slot.yml").read_text(encoding="utf-8")
    with pytest.raises(UserError) as error:
        recipe.load(put(tmp_path, text))
    [problem] = error.value.problems
    assert "{cfp}" in text.splitlines()[problem.line - 1]


@pytest.mark.parametrize("folder", sorted(DATASETS.glob("*/recipe.yml")), ids=lambda file: file.parent.name)
def test_every_recipe_of_the_repository_is_valid(folder):
    assert recipe.load(folder.parent)["seed"] >= 0


def test_two_files_may_not_define_the_same(tmp_path):
    small = Path("tests/valid/recipe/small.yml").read_text(encoding="utf-8")
    put(tmp_path, small + "include: [more.yml]\n")
    (tmp_path / "more.yml").write_text("phrases:\n  both: olá\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"more\.yml:2:3: \$\.phrases\.both: 'both' is there already"):
        recipe.load(tmp_path)


@pytest.mark.parametrize(
    ("include", "told"),
    [
        ("facts.yml", "'facts.yml' is not of type 'array'"),
        ("5", "5 is not of type 'array'"),
        ("[.]", "$.include[0]: '.' is not a .yml file in this folder"),
        ('[""]', "$.include[0]: '' is not a .yml file in this folder"),
        ("[/etc/x.yml]", "$.include[0]: '/etc/x.yml' is not a .yml file in this folder"),
        ("[../x.yml]", "$.include[0]: '../x.yml' is not a .yml file in this folder"),
        ('["**.yml"]', "$.include[0]: '**.yml' is not a .yml file in this folder"),
        ("[5]", "$.include[0]: 5 is not of type 'string'"),
    ],
)
def test_what_is_included_is_a_list_of_files_of_the_folder(tmp_path, include, told):
    small = Path("tests/valid/recipe/small.yml").read_text(encoding="utf-8")
    with pytest.raises(UserError) as error:
        recipe.load(put(tmp_path, f"{small}include: {include}\n"))
    assert told in str(error.value)


@pytest.mark.parametrize("line", ["source: dialogues", "source: database", "seed: 1", "include: [a.yml]", "system: {}"])
def test_a_part_has_sections_only(tmp_path, line):
    small = Path("tests/valid/recipe/small.yml").read_text(encoding="utf-8")
    put(tmp_path, small + 'include: ["*.yml", more.yml]\n')
    (tmp_path / "more.yml").write_text("facts:\n  more: x\n", encoding="utf-8")
    assert recipe.load(tmp_path)["facts"]["more"] == "x"
    (tmp_path / "more.yml").write_text(f"facts:\n  more: x\n{line}\n", encoding="utf-8")
    with pytest.raises(UserError) as error:
        recipe.load(tmp_path)
    key = line.split(":")[0]
    assert [str(each) for each in error.value.problems] == [
        f"{tmp_path}/more.yml:3:1: $.{key}: '{key}' belongs into recipe.yml alone"
    ]


def texts(template: str, lists: dict | None = None, count: int = 300) -> set[str]:
    rng = random.Random(0)
    parsed = {name: phrase_list(block) for name, block in (lists or {}).items()}
    made = (expand(parse(template), parsed, lambda name, rng: f"<{name}>", rng) for _ in range(count))
    return {"".join(piece.text for piece in pieces) for pieces in made}


def test_phrasings():
    assert texts("oi {cpf}") == {"oi <cpf>"}
    assert texts("[a|b|]c") == {"ac", "bc", "c"}
    assert texts("[a|[b|c]]") == {"a", "b", "c"}
    assert texts("{x?}!", {"x": "um\ndois"}) == {"!", "um!", "dois!"}
    assert texts("{x?0}!", {"x": "um"}) == {"!"}
    assert texts("{x cpf=short_cpf}", {"x": "{y}\n# nota", "y": "tenho {cpf}"}) == {"tenho <short_cpf>"}


def test_slots_are_fixed_and_words_are_not():
    pieces = expand(parse("cpf {cpf}"), {}, lambda name, rng: "123", random.Random(0))
    assert pieces == [Piece("cpf ", False), Piece("123", True)]


@pytest.mark.parametrize("text", ["{cpf", "cpf}", "[a|b", "a]", "a|b", "{}", "{a b}"])
def test_what_does_not_parse(text):
    with pytest.raises(phrasing.PhrasingError):
        parse(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, "cinco"),
        (16, "dezesseis"),
        (21, "vinte e um"),
        (1900, "mil e novecentos"),
        (1908, "mil novecentos e oito"),
        (1985, "mil novecentos e oitenta e cinco"),
        (2000, "dois mil"),
        (2007, "dois mil e sete"),
        (2024, "dois mil e vinte e quatro"),
    ],
)
def test_numbers_in_words(value, words):
    assert spoken.number(value) == words


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("slashes", "05/06/1985"),
        ("bare_short", "5/6/85"),
        ("iso", "1985-06-05"),
        ("joined", "05061985"),
        ("words", "cinco de junho de mil novecentos e oitenta e cinco"),
        ("words_short", "cinco de junho de oitenta e cinco"),
        ("spoken_words", "cinco do seis de oitenta e cinco"),
        ("abbreviated_dash", "5-jun-85"),
        ("parts", "dia 5, mês 6, ano 1985"),
    ],
)
def test_dates_in_all_forms(form, text):
    written = {spoken.DATES[form]((5, 6, 1985), random.Random(n)) for n in range(40)}
    assert text in {each.replace("05-jun", "5-jun") for each in written}


def test_a_two_digit_year_never_says_another_century():
    assert [spoken.short_year(year) for year in (1925, 1926, 1999, 2000, 2025, 2026)] == [
        "1925", "26", "99", "00", "25", "2026",
    ]  # fmt: skip


def test_months_are_misspelt_now_and_then_but_stay_recognisable():
    seen = [spoken.month_name(3, random.Random(n)) for n in range(400)]
    assert 0.02 < sum(name != "março" for name in seen) / len(seen) < 0.2


@pytest.mark.parametrize("length", [5, 7, 8, 9, 10, 11, 12, 13, 14])
@pytest.mark.parametrize("form", [name for name in spoken.CPFS if name != "words"])
def test_every_form_of_a_cpf_keeps_its_digits(form, length):
    digits = "12345678901234"[:length]
    assert re.sub(r"\D", "", spoken.CPFS[form](digits, random.Random(1))) == digits


def test_synthetic_cpfs_fail_their_check_digits():
    from validate_docbr import CPF

    rng = random.Random(3)
    assert person.check_digits("111444777") == "35"
    assert not any(CPF().validate(person.false_cpf(rng)) for _ in range(2000))


def test_impossible_dates_are_impossible_and_births_are_not():
    from datetime import date

    rng = random.Random(4)
    for _ in range(2000):
        day, month, year = person.birth_date(rng)
        assert date(year, month, day).year == year
        day, month, year = person.impossible_date(rng)
        with pytest.raises(ValueError, match=r"day|month"):
            date(year, month, day)


ALL = dict.fromkeys(("lower", "no_accents", "no_commas", "no_final_mark", "abbreviate", "typos"), 100)


def test_noise_spares_numbers_and_fixed_pieces():
    noise = Noise(ALL | {"abbreviations": {"nascimento": "nasc"}})
    pieces = [Piece("Meu nascimento é, ", False), Piece("15 de Março de 1985", True), Piece("!", False)]
    for n in range(100):
        rng = random.Random(n)
        text = noise.apply(pieces, noise.mood(rng), rng)
        assert "15 de marco de 1985" in text and "," not in text


def test_no_noise_says_what_was_written():
    noise = Noise({})
    rng = random.Random(0)
    pieces = [Piece("Olá ,  meu nome é", False), Piece("Zoë", True), Piece("?. Ok", False)]
    assert noise.apply(pieces, noise.mood(rng), rng) == "Olá, meu nome é Zoë? Ok"


def test_plain():
    assert plain("Março é ótimo, ñ?") == "Marco e otimo, n?"


def test_what_the_recipe_answers_is_what_its_evaluation_expects():
    """Of every kind: the recipe's own last message has full marks, so that no expectation is out of reach."""

    class Writer(dialogue.Writer):
        def _expected(self, turn, message, person, rng):
            self.ideal = message
            return super()._expected(turn, message, person, rng)

    read = recipe.load(DATASETS / "unimed-attendant")
    writer = Writer(read, "eval")
    for kind in read["kinds"]:
        rng = random.Random(kind)
        for _ in range(40):
            row = writer.conversation(kind, rng)
            figures = score(row, writer.ideal)
            assert all(figures.values()), (kind, row["expect"], writer.ideal, figures)

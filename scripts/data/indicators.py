"""Rows for an adapter that knows indicators: what each means, its formula, its SQL, its numbers.

`rows(recipe, folder, db_url)` reads `indicators.yml` of the folder, runs each indicator's SQL for the
months and years of the recipe, and words the points with `phrases.yml`. No number is typed by anybody.

Kinds of answer begin differently, so that the first token says which it is (but with a masculine name a meaning and a
best month both begin with "O").
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from scripts.data import database
from scripts.data.asking import Point, Row, deal, phrases
from scripts.data.database import Database
from scripts.data.indicator import Indicator, Period, between, limit, read
from scripts.data.spoken import MONTHS


def rows(recipe: dict, folder: Path, db_url: str | None = None) -> tuple[list[Row], list[Row]]:
    """(training rows, evaluation rows) of every indicator, from the database at `db_url` or the recipe's."""
    options = recipe["options"]
    source = Database(database.connect(options, db_url), {})
    months, years = between(*options["months"]), [Period(year) for year in options["years"]]
    indicators = read(folder / "indicators.yml", source, months + years)
    asked = between(*options["sql_months"])
    unknown = [period for period in asked if period not in months]
    beside = (Period(year, month) for year in (years[0].year - 1, years[-1].year + 1) for month in range(13))
    unknown += [period for period in beside if period not in months + years]
    points = [*_list(indicators), *_unknown(indicators, months, years, unknown)]
    for each in indicators:
        points += [*_words(each), *_numbers(each, months, years), *_queries(each, asked + years)]
    return deal(points, phrases(folder / "phrases.yml"), recipe, strict=True)


def _fact(kind: str, answer: str, contains: list[str], slots: tuple) -> Point:
    return Point(kind, kind, answer, {"contains": contains}, slots)


def listed(texts: list[str]) -> str:
    """`a, b e c`"""
    return " e ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]


def _list(indicators: list[Indicator]) -> Iterator[Point]:
    names = [each.bare for each in indicators]
    yield _fact("lista", f"Os indicadores são: {listed(names)}.", names, ({},))


def _words(each: Indicator) -> Iterator[Point]:
    """What it means, its formula, its unit, and when it is good."""
    slots = each.wordings()
    yield _fact("definicao", f"{each.subject} é {each.meaning}.", [each.meaning], slots)
    yield _fact("formula", f"Fórmula d{each.name}: {each.formula}.", [each.formula], slots)
    yield _fact("importancia", f"Porque {each.name} {each.why}.", [each.why], slots)
    yield _fact("unidade", f"Mede-se {each.name} em porcentagem ({each.unit}).", ["porcentagem"], slots)
    less = "menor" if each.direction == "lower" else "maior"
    yield _fact("direcao", f"Quanto {less} {each.name}, melhor.", [f"quanto {less}"], slots)
    good, bad = (limit(each.thresholds[key]) + each.unit for key in ("good", "bad"))
    first, second = (
        (f"até {good}", f"acima de {bad}") if less == "menor" else (f"a partir de {good}", f"abaixo de {bad}")
    )
    yield _fact(
        "limites",
        f"Limites d{each.name} de um mês: bo{'a' if each.name[0] == 'a' else 'm'} {first}, ruim {second}.",
        [first, second],
        slots,
    )


def _number(
    kind: str, each: Indicator, period: Period, answer: str, contains: list[str], slots: tuple, intent: str = ""
) -> Point:
    """A point whose answer's first number is the indicator in that period."""
    expect = {"number": round(each.numbers[period], each.decimals), "tolerance": 0.5 / 10**each.decimals}
    return Point(kind, intent or kind, answer, expect | ({"contains": contains} if contains else {}), slots)


def _numbers(each: Indicator, months: list[Period], years: list[Period]) -> Iterator[Point]:
    """Numbers, whether they are good, how they changed, and the best and worst month of a year."""
    for period in months + years:
        number, slots = each.shown(period), each.wordings(em=period.texts())
        yield _number("numero", each, period, f"Em {period.name} {each.name} foi de {number}.", [], slots)
        if period.month:
            level = f"nível {each.level(period)}"
            answer = f"Resultado d{each.name} em {period.name}: {number}, {level}."
            yield _number("avaliacao", each, period, answer, [level], slots)
    for before, after in [*pairwise(months), *pairwise(years)]:
        change = each.numbers[after] - each.numbers[before]
        verb = "subiu" if change > 0 else "caiu" if change < 0 else "ficou"
        span = f"de {each.shown(before)} para {each.shown(after)}"
        answer = f"De {before.name} para {after.name} {each.name} {verb} {span}."
        slots = each.wordings(em=after.texts(), antes=before.texts())
        yield _number("comparacao", each, before, answer, [verb, each.shown(after)], slots)
    yield from _extremes(each, months)


def _extremes(each: Indicator, months: list[Period]) -> Iterator[Point]:
    """The best and the worst month of every year whose twelve months are known, where only one is."""
    for year in sorted({period.year for period in months}):
        known = [period for period in months if period.year == year]
        if len(known) < 12:
            continue
        ranked = sorted(known, key=lambda period: each.numbers[period], reverse=each.direction == "higher")
        for word, period, next_one in (("melhor", ranked[0], ranked[1]), ("pior", ranked[-1], ranked[-2])):
            if each.numbers[period] == each.numbers[next_one]:
                continue
            month = MONTHS[period.month - 1]
            answer = f"O {word} mês d{each.name} em {year} foi {month}, com {each.shown(period)}."
            yield _number("extremos", each, period, answer, [month], each.wordings(em=[str(year)]), word)


def _queries(each: Indicator, periods: list[Period]) -> Iterator[Point]:
    for period in periods:
        sql = each.query(period)
        yield Point("sql", "sql", f"```sql\n{sql}\n```", {"sql": sql}, each.wordings(em=period.texts()))


def _unknown(
    indicators: list[Indicator], months: list[Period], years: list[Period], unknown: list[Period]
) -> Iterator[Point]:
    """A number that was not learnt is not made up."""
    whole = {period.year for period in months} if len(months) % 12 == 0 and months[0].month == 1 else ()
    spans = listed([str(year) for year in sorted(whole)]) if whole else f"{months[0].name} a {months[-1].name}"
    known = f"só dos meses de {spans} e dos anos de {listed([year.name for year in years])}"
    for period in unknown:
        slots = tuple(slot for each in indicators for slot in each.wordings(em=period.texts()))
        answer = f"Não tenho o número de {period.name}, {known}."
        yield Point("sem_numero", "numero", answer, {"contains": [f"não tenho o número de {period.name}"]}, slots)

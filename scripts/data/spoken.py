"""How Brazilians write and say numbers: dates and CPFs in all their forms.

Every form is a function of its value, kept in DATES and CPFS by the name that a recipe weighs it with.
A date is (day, month, year) and need not exist: 31/02 has to be writable.
"""

import random

MONTHS = [
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
]
DIGITS = ["zero", "um", "dois", "três", "quatro", "cinco", "seis", "sete", "oito", "nove"]
TEENS = ["dez", "onze", "doze", "treze", "quatorze", "quinze", "dezesseis", "dezessete", "dezoito", "dezenove"]
TENS = ["", "", "vinte", "trinta", "quarenta", "cinquenta", "sessenta", "setenta", "oitenta", "noventa"]
HUNDREDS = ["", "cento", "duzentos", "trezentos", "quatrocentos", "quinhentos"]
HUNDREDS += ["seiscentos", "setecentos", "oitocentos", "novecentos"]

Date = tuple[int, int, int]


def number(value: int) -> str:
    """0 to 2999 in words (but for 100): 1985 is `mil novecentos e oitenta e cinco`."""
    if value < 10:
        return DIGITS[value]
    if value < 20:
        return TEENS[value - 10]
    if value < 100:
        return TENS[value // 10] + (f" e {DIGITS[value % 10]}" if value % 10 else "")
    if value < 1000:
        rest = value % 100
        return HUNDREDS[value // 100] + (f" e {number(rest)}" if rest else "")
    rest = value % 1000
    link = " " if rest > 100 and rest % 100 else " e "
    thousands = "mil" if value < 2000 else "dois mil"
    return thousands + (link + number(rest) if rest else "")


def day_words(day: int, rng: random.Random) -> str:
    """The day of a month in words; the first is `primeiro` as often as `um`."""
    return rng.choice(["primeiro", "um"]) if day == 1 else number(day)


def day_digits(day: int, rng: random.Random) -> str:
    """15, 5, 05, 1º"""
    return rng.choice(["1º", "1", "01", "primeiro"]) if day == 1 else rng.choice([str(day), f"{day:02}"])


def month_name(month: int, rng: random.Random) -> str:
    """The name; now and then one that is misspelt."""
    name = MONTHS[(month - 1) % 12]
    if rng.random() < 0.12:
        at = rng.randrange(1, len(name) - 1)
        swapped = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        doubled = name[:at] + name[at] + name[at:]
        return rng.choice([swapped, doubled, name[:at] + name[at + 1 :] if len(name) > 5 else name])
    return name


def short_year(year: int) -> str:
    """Two digits, where those say the same year (00 to 25 is 20xx, else 19xx); otherwise all four."""
    return f"{year % 100:02}" if 1926 <= year <= 2025 else str(year)


def year_words(year: int) -> str:
    """`oitenta e cinco` where that is the way to say it, else in full."""
    return number(year - 1900) if 1930 <= year <= 1999 else number(year)


def _month(text: str):
    """A form with a month name; the text's fields are d (digits), w (words), m (name), b (jun), y, s (85), f, k."""

    def form(date: Date, rng: random.Random) -> str:
        day, month, year = date
        name = month_name(month, rng) if "{m}" in text else ""
        fields = {"d": day_digits(day, rng), "w": day_words(day, rng), "m": name, "b": MONTHS[(month - 1) % 12][:3]}
        years = {"y": year, "s": short_year(year), "f": number(year), "k": year_words(year)}
        return text.format(**fields, **years, n=number(month), x=month)

    return form


def _figures(text: str):
    """A form in figures: d, m, y, s (two-digit year); :02 pads."""
    return lambda date, rng: text.format(d=date[0], m=date[1], y=date[2], s=short_year(date[2]))


DATES = {
    "slashes": _figures("{d:02}/{m:02}/{y}"),
    "slashes_short": _figures("{d:02}/{m:02}/{s}"),
    "bare_slashes": _figures("{d}/{m}/{y}"),
    "bare_short": _figures("{d}/{m}/{s}"),
    "dashes": _figures("{d:02}-{m:02}-{y}"),
    "dashes_short": _figures("{d:02}-{m:02}-{s}"),
    "dots": _figures("{d:02}.{m:02}.{y}"),
    "dots_short": _figures("{d:02}.{m:02}.{s}"),
    "iso": _figures("{y}-{m:02}-{d:02}"),
    "joined": _figures("{d:02}{m:02}{y}"),
    "spaces": _figures("{d:02} {m:02} {y}"),
    "spaces_short": _figures("{d:02} {m:02} {s}"),
    "slashes_iso": _figures("{y}/{m:02}/{d:02}"),
    "joined_short": _figures("{d:02}{m:02}{s}"),
    "mixed": _figures("{d:02}/{m:02} de {y}"),
    "de_number": _figures("{d} de {m:02} de {y}"),
    "parts": _figures("dia {d}, mês {m}, ano {y}"),
    "month": _month("{d} de {m} de {y}"),
    "month_short": _month("{d} de {m} de {s}"),
    "month_bare": _month("{d} {m} {y}"),
    "month_loose": _month("{d} de {m} {y}"),
    "month_do": _month("{d} de {m} do ano de {y}"),
    "month_slash": _month("{d}/{m}/{y}"),
    "month_comma": _month("{d} de {m}, {y}"),
    "abbreviated": _month("{d} {b} {y}"),
    "abbreviated_short": _month("{d} {b} {s}"),
    "abbreviated_de": _month("{d} de {b} de {y}"),
    "abbreviated_dot": _month("{d} {b}. {y}"),
    "abbreviated_slash": _month("{d}/{b}/{y}"),
    "abbreviated_dash": _month("{d}-{b}-{s}"),
    "words": _month("{w} de {m} de {f}"),
    "words_short": _month("{w} de {m} de {k}"),
    "words_year": _month("{w} de {m} de {y}"),
    "words_end": _month("{d} de {m} de {k}"),
    "spoken": _month("{d} do {x} de {y}"),
    "spoken_words": _month("{w} do {n} de {k}"),
}
MONTH_FORMS = {name for name in DATES if name.startswith(("month", "abbreviated", "words"))}


def _grouped(*separators: str):
    """CPF digits in groups of 3, 3, 3 and 2; another length makes one of the groups shorter or longer."""

    def form(digits: str, rng: random.Random) -> str:
        sizes = [3, 3, 3, 2]
        while sum(sizes) != len(digits):
            sizes[rng.randrange(4)] += 1 if sum(sizes) < len(digits) else -1
            if min(sizes) < 1:
                sizes = [3, 3, 3, 2]
        text, at = "", 0
        for size, separator in zip(sizes, [*separators, ""], strict=True):
            text, at = text + digits[at : at + size] + separator, at + size
        return text

    return form


CPFS = {
    "plain": lambda digits, rng: digits,
    "dotted": _grouped(".", ".", "-"),
    "dots": _grouped(".", ".", "."),
    "dash": _grouped("", "", "-"),
    "spaces": _grouped(" ", " ", " "),
    "spaces_dash": _grouped(" ", " ", "-"),
    "space": _grouped("", "", " "),
    "slash": _grouped(".", ".", "/"),
    "loose": _grouped(". ", ". ", " - "),
    "dashes": _grouped("-", "-", "-"),
    "digits": lambda digits, rng: " ".join(digits),
    "words": lambda digits, rng: " ".join(rng.choice(["meia", "seis"]) if d == "6" else DIGITS[int(d)] for d in digits),
}

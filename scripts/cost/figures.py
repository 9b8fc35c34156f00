"""Numbers as people read them."""

TIMES = {
    2: "double", 3: "three times", 4: "four times", 8: "eight times", 10: "ten times",
    1 / 2: "half", 1 / 3: "a third", 1 / 4: "a quarter", 1 / 8: "an eighth", 1 / 10: "a tenth",
}  # fmt: skip


def count(number: float) -> str:
    """9,768,960 -> 9.77 M"""
    for size, unit in ((1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g} {'B' if unit == 'G' else unit}"
    return f"{number:,.0f}"


def size(number: float) -> str:
    """Bytes: 39,131,224 -> 39.1 MB"""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if number >= scale:
            return f"{number / scale:.{1 if number / scale < 100 else 0}f} {unit}"
    return f"{number:.0f} B"


def hours(number: float) -> str:
    """0.22 -> 13 min; 1.6 -> 1.6 h"""
    if number < 1 / 60:
        return f"{number * 3600:.0f} s"
    return f"{number * 60:.0f} min" if number < 1 else f"{number:.1f} h"


def change(before: float, after: float) -> str:
    """How many times, in words; nothing where that says no more than the numbers."""
    if not before or not after:
        return ""
    times = after / before
    for known, word in TIMES.items():
        if abs(times / known - 1) < 1e-9:
            return word
    return f"{times - 1:+.0%}" if 0.5 < times < 2 else f"{times:.3g} times"

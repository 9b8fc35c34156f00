"""What a plain scalar means to Axolotl (PyYAML, YAML 1.1) and to a YAML 1.2 reader, and whether they agree."""

import math
import re
import types
from decimal import Decimal

import yaml

TEXT = "tag:yaml.org,2002:str"
MAX_NUMBER = 100  # characters
#: The YAML 1.2 core schema, section 10.3.2 of the specification; what fits none of them is text.
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
SPECIAL = re.compile(r"([-+]?\.(inf|Inf|INF))|\.(nan|NaN|NAN)")
WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def difference(node: yaml.ScalarNode, loader: yaml.Loader) -> tuple[str, str] | None:
    """(message, hint) where the two readings differ, or where no number can be read; None where they agree.

    A node that is neither text, number, true, false nor null becomes text, so that it can be looked at further.
    """
    if node.style:  # quoted or a block: text in both
        return None
    text = node.value if len(node.value) <= 40 else node.value[:37] + "..."
    if len(node.value) > MAX_NUMBER and node.tag != TEXT:
        as_text(node, loader)  # building it can take seconds: each `:59` of a number to base 60 is a multiplication
        return f"{text!r} is too long for a number", "quote it if it is text"
    try:
        ours = loader.construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        as_text(node, loader)
        return f"{text!r} can't be read as a value", "quote it if it is text"
    if isinstance(ours, float) and not math.isfinite(ours):
        as_text(node, loader)
        return f"{text!r} is not a finite number", ""
    if not isinstance(ours, str | int | float | types.NoneType):
        as_text(node, loader)
    theirs = core(node.value)
    if type(ours) is type(theirs) and ours == theirs:
        return None
    return f"{text!r} is {said(ours)} for Axolotl and {said(theirs)} for YAML 1.2", advice(ours, theirs)


def as_text(node: yaml.ScalarNode, loader: yaml.Loader) -> None:
    """Makes the node text, whatever was built from it before."""
    node.tag = TEXT
    loader.constructed_objects.pop(node, None)


def core(text: str) -> object:
    """A plain scalar under YAML 1.2's core schema."""
    if text in WORDS:
        return WORDS[text]
    if len(text) <= MAX_NUMBER and INTEGER.fullmatch(text):
        return int(text, 0 if text[:2] in ("0o", "0x") else 10)
    if FLOAT.fullmatch(text):
        return float(text)
    if SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def written(value: object) -> str:
    """A value as both readers take it alike: 2e-05 is 0.00002."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float) and "e" in repr(value):
        plain = format(Decimal(repr(value)), "f")
        mantissa, _, exponent = repr(value).partition("e")
        signed = (
            f"{mantissa}{'' if '.' in mantissa else '.0'}e{exponent}"  # 1.0e+300 has the dot and sign that 1.1 needs
        )
        return plain if len(plain) <= 25 else signed
    return str(value)


def said(value: object) -> str:
    """`the text '2e-5'`, `the number 8`, `true`, `a date`."""
    if isinstance(value, str):
        return f"the text '{value if len(value) <= 40 else value[:37] + '...'}'"
    if isinstance(value, bool) or value is None:
        return written(value)
    if isinstance(value, (int, float)):
        return f"the number {written(value)[:40]}"
    return "a date"


def advice(ours: object, theirs: object) -> str:
    """How to write the one or the other so that everyone agrees."""
    if isinstance(theirs, float) and not math.isfinite(theirs):
        return "that is no finite number"
    number = next((each for each in (theirs, ours) if isinstance(each, (int, float))), None)
    if number is None:
        return "quote it"
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)) and ours != theirs:
        return f"write {written(ours)} or {written(theirs)}, or quote it"
    return f"write {written(number)}, or quote it"

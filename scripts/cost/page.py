"""The plan as a page: the same sections as text for a terminal, and as Markdown for a pull request."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Section:
    """A title, lines of prose, and rows of a table under `heads`; `folded` where Markdown hides it behind its title."""

    title: str
    lines: Sequence[str] = ()
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    code: str = ""
    folded: bool = False
    notes: Sequence[str] = field(default=())


def text(title: str, sections: Sequence[Section]) -> str:
    """For a terminal: columns in line."""
    blocks = [title]
    for each in sections:
        told = [f"  {line}" for line in each.lines]
        below = [f"  {line}" for line in (*each.notes, *each.code.splitlines())]
        lines = [each.title, *told, *columns(each), *below]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def columns(section: Section) -> list[str]:
    """A table's rows, each column as wide as its widest cell; numbers to the right."""
    rows = [*([section.heads] if section.heads else []), *section.rows]
    if not rows:
        return []
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    right = [all(re.match(r"[\d~$<≈+-]", row[place]) for row in section.rows) for place in range(len(rows[0]))]
    found = []
    for row in rows:
        cells = [
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ]
        found.append("  " + "  ".join(cells).rstrip())
    return found


def markdown(title: str, sections: Sequence[Section]) -> str:
    """For a pull request: headings, bullets, tables; what comes from files can't become markup."""
    blocks = [f"## {safe(title)}"]
    for each in sections:
        parts = [*(f"- {safe(line)}" for line in each.lines)]
        inner = ["\n".join(parts)] if parts else []
        if each.rows:
            heads = each.heads or [""] * len(each.rows[0])
            table = [heads, ["---"] * len(heads), *([safe(cell) for cell in row] for row in each.rows)]
            inner.append("\n".join(f"| {' | '.join(row)} |" for row in table))
        inner += ["\n".join(safe(note) for note in each.notes)] if each.notes else []
        inner += [fenced(each.code)] if each.code else []
        body = "\n\n".join(inner)
        if each.folded:
            blocks.append(f"<details><summary>{safe(each.title)}</summary>\n\n{body}\n\n</details>")
        else:
            blocks.append(f"### {safe(each.title)}\n\n{body}")
    return "\n\n".join(blocks)


def safe(line: str) -> str:
    """Text in which Markdown and GitHub find nothing to act on: markup, links, mentions, references."""
    line = re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", " ".join(line.split()))
    return line.replace("@", "@\u200b").replace("://", ":\u200b//")


def fenced(code: str) -> str:
    """A code block whose fence the code can't close."""
    longest = max((len(each) for each in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}yaml\n{code.rstrip()}\n{fence}"


FORMATS = {"text": text, "markdown": markdown}

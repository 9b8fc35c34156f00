"""Conversations as people have them, as rows of ours: OpenAI and ShareGPT JSON or JSONL, and CSV.

Messages of one speaker in a row become one; what an assistant said before anyone asked and what nobody
answered at the end is left out. Whatever can't be read is a Problem, and the reading goes on.
"""

import csv
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from scripts.data import jsonl
from scripts.data.personal import digits_of
from scripts.errors import Problem, UserError
from scripts.paths import shown

ROLES = {
    "human": "user", "user": "user", "usuario": "user", "usuário": "user", "cliente": "user", "beneficiario": "user",
    "beneficiário": "user", "gpt": "assistant", "assistant": "assistant", "atendente": "assistant", "bot": "assistant",
    "model": "assistant", "system": "system", "sistema": "system", "tool": "tool", "observation": "tool",
    "function_response": "tool",
    "function_call": "call", "tool_call": "call",
}  # fmt: skip
COLUMNS = {
    "conversation": ("conversation", "conversation_id", "conversa", "protocolo", "chat", "id"),
    "role": ("role", "papel", "autor", "remetente", "from", "quem"),
    "content": ("content", "texto", "mensagem", "message", "text", "value"),
    "question": ("user", "pergunta", "prompt", "question", "instruction"),
    "answer": ("assistant", "resposta", "completion", "answer", "output"),
}
Read = Iterator[tuple[int, dict] | Problem]  # the line or item, from 1, and what it holds


def read(file: Path, form: str, subject_field: str = "", salt: str = "") -> Read:
    """(line, row with source and subject) of each conversation in a file, or a Problem."""
    if form not in READERS:
        raise UserError(f"FORMAT={form}: there are {', '.join(READERS)}")
    if subject_field and not salt:
        raise UserError("SUBJECT_FIELD needs a salt", next="set SALT to a long secret and keep it: forget asks for it")
    if not file.is_file():
        raise UserError(f"{shown(file)}: no such file")
    for each in READERS[form](file):
        if isinstance(each, Problem):
            yield each
            continue
        line, record = each
        try:
            row = {"messages": tidy(record["messages"])}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            yield Problem(shown(file), line, 0, "$", f"not a {form} conversation: {what}")
            continue
        row |= {key: record[key] for key in ("kind", "subject", "source", "anonymised") if key in record}
        row.setdefault("source", file.name)
        if subject_field and (who := record.get(subject_field)) not in (None, ""):
            row["subject"] = subject(str(who), salt)
        elif subject_field and "subject" not in row:
            yield Problem(shown(file), line, 0, f"$.{subject_field}", "no subject in this conversation")
            continue
        yield line, row


def subject(who: str, salt: str) -> str:
    """The hash that stands for a person: HMAC-SHA256 of a name, or of a number's digits; 32 hex digits."""
    who = " ".join(who.split()).casefold()
    who = who if re.search(r"[^\d .\-/()+]", who) else digits_of(who)
    return hmac.new(salt.encode(), who.encode(), hashlib.sha256).hexdigest()[:32]


def tidy(messages: list[Mapping]) -> list[dict]:
    """Neighbours of one role joined, ends cut to user … assistant; ValueError says what a message lacks."""
    merged: list[dict] = []
    for message in map(_tidied, messages):
        last = merged[-1] if merged else {}
        plain = "tool_calls" not in message and "tool_calls" not in last and message["role"] in ("user", "assistant")
        if plain and message["role"] == "assistant" and message["content"] is None:
            continue  # a turn of neither text nor calls
        if plain and last.get("role") == message["role"]:
            last["content"] = f"{last['content']}\n{message['content']}"
        else:
            merged.append(message)
    first = next((at for at, each in enumerate(merged) if each["role"] == "user"), len(merged))
    merged = [each for each in merged[:first] if each["role"] == "system"] + merged[first:]
    while merged and merged[-1]["role"] not in ("assistant",):
        merged.pop()
    if not merged:
        raise ValueError("nobody asks and is answered")
    return merged


def _tidied(message: Mapping) -> dict:
    """A message with our name of its role, its text in one piece, and without what is null."""
    there = (key for key in ("tool_calls", "tool_call_id", "name", "train") if message.get(key) not in (None, []))
    kept = {key: message[key] for key in there}
    role, content = ROLES.get(str(message["role"]).strip().casefold(), message["role"]), message.get("content")
    if isinstance(content, list):
        content = "\n".join(part["text"] for part in content)
    if not isinstance(content, str) and not (content is None and role == "assistant"):
        raise ValueError(f"a turn of {role} without text")
    if "tool_calls" in kept:
        kept["tool_calls"] = list(map(_call, kept["tool_calls"]))
    return {"role": role, "content": content, **kept}


def _call(call: Mapping) -> dict:
    """A tool call whose arguments are a text."""
    function, arguments = call["function"], call["function"]["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return {**call, "function": {**function, "arguments": text}}


def _records(file: Path) -> Read:
    """Objects of a JSONL file by line, or of a JSON array by position."""
    with open(file, "rb") as stream:
        array = stream.read(64).lstrip().startswith(b"[")
    if not array:
        yield from jsonl.read(file)
        return
    try:
        items = jsonl.value(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        yield Problem(shown(file), error.lineno, error.colno, "", f"not JSON: {error.msg}")
        return
    except ValueError as error:
        yield Problem(shown(file), 0, 0, "", str(error))
        return
    for number, item in enumerate(items, 1):
        yield (
            (number, item)
            if isinstance(item, dict)
            else Problem(shown(file), 0, 0, f"$[{number - 1}]", "not an object")
        )


def _sharegpt(file: Path) -> Read:
    for each in _records(file):
        if isinstance(each, Problem) or "messages" in each[1]:
            yield each
            continue
        line, record = each
        if "conversations" not in record:
            yield Problem(shown(file), line, 0, "$", "not a ShareGPT conversation: no 'conversations'")
            continue
        try:
            yield line, record | {"messages": [_message(turn) for turn in record["conversations"]]}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield Problem(shown(file), line, 0, "$.conversations", f"not a ShareGPT turn: {error}")


def _message(turn: Mapping) -> dict:
    role = ROLES.get(turn["from"].casefold(), turn["from"])
    if role != "call":
        return {"role": role, "content": turn["value"]}
    call = jsonl.value(turn["value"])
    function = {"name": call["name"], "arguments": call["arguments"]}
    return {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": function}]}


def _csv(file: Path) -> Read:
    """One message a line with a conversation's id, or one question and answer a line."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            reader = csv.DictReader(stream, delimiter=max(",;\t|", key=head.count), strict=True)
            at = {name: _column(reader.fieldnames or [], names) for name, names in COLUMNS.items()}
            if at["question"] and at["answer"]:
                yield from _pairs(_whole(file, reader, (at["question"], at["answer"])), at)
            elif at["conversation"] and at["role"] and at["content"]:
                yield from _turns(_whole(file, reader, (at["conversation"], at["role"], at["content"])), at)
            else:
                columns = "; ".join(f"{name}: {', '.join(names)}" for name, names in COLUMNS.items())
                hint = "question and answer, or conversation, role and content"
                yield Problem(shown(file), 1, 0, "", f"columns missing, {hint} are needed", columns)
    except UnicodeDecodeError as error:
        yield Problem(shown(file), 0, 0, "", f"not UTF-8 at byte {error.start}", "save as CSV UTF-8")
    except csv.Error as error:
        yield Problem(shown(file), reader.line_num, 0, "", f"not CSV: {error}")


def _column(header: list[str], names: tuple[str, ...]) -> str:
    return next((column for name in names for column in header if column.strip().casefold() == name), "")


def _whole(file: Path, reader: csv.DictReader, columns: tuple[str, ...]) -> Read:
    """Each line that has these columns; a Problem for one that ends before."""
    for record in reader:
        short = any(record[column] is None for column in columns)
        told = Problem(shown(file), reader.line_num, 0, "", "fewer columns than the first line")
        yield told if short else (reader.line_num, record)


def _pairs(lines: Read, at: dict[str, str]) -> Read:
    for each in lines:
        if isinstance(each, Problem):
            yield each
            continue
        line, record = each
        turns = [
            {"role": role, "content": record[at[key]]} for role, key in (("user", "question"), ("assistant", "answer"))
        ]
        yield line, record | {"messages": turns}


def _turns(lines: Read, at: dict[str, str]) -> Read:
    """Lines of one conversation need not be neighbours; it has the line where it begins."""
    found: dict[str, tuple[int, dict]] = {}
    for each in lines:
        if isinstance(each, Problem):
            yield each
            continue
        line, record = each
        _, conversation = found.setdefault(record[at["conversation"]], (line, record | {"messages": []}))
        conversation["messages"].append({"role": record[at["role"]], "content": record[at["content"]]})
    yield from found.values()


READERS: dict[str, Callable[[Path], Read]] = {"openai": _records, "sharegpt": _sharegpt, "csv": _csv}

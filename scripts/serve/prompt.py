"""Messages as the token ids that training had: the base's own chat template and tokenizer, nothing else."""

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from scripts.config import template
from scripts.model.toolcall import OPEN


class Prompts:
    """Reads a folder with tokenizer.json, tokenizer_config.json and chat_template.jinja, once."""

    def __init__(self, base: Path):
        self._tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._template = (base / "chat_template.jinja").read_text(encoding="utf-8")
        settings = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))
        values = {key: settings.get(key) for key in ("bos_token", "eos_token")}
        #: The tokens that a tool call opens with.
        self.opening = self._tokenizer.encode(OPEN, add_special_tokens=False).ids
        self._tokens = {k: v["content"] if isinstance(v, dict) else v for k, v in values.items() if v}

    def text(self, messages: Sequence[dict]) -> str:
        """The conversation with the answer's turn opened at its end."""
        return template.render(self._template, list(messages), self._tokens, prompt=True)

    def ids(self, messages: Sequence[dict]) -> list[int]:
        """Token ids of `text`; the template writes every special token, so none is added here."""
        return self._tokenizer.encode(self.text(messages), add_special_tokens=False).ids

"""Greedy answers of base and adapters, many conversations at once.

Prompts are sorted by length and left-padded into batches; a conversation that has ended leaves its batch, so the
last long answer does not hold up the others. One batch may mix adapters: see mixed.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from peft import PeftModel
from peft.utils import ModulesToSaveWrapper
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, DynamicCache
from transformers.utils import logging

from scripts.errors import UserError
from scripts.model import attention, load, strict
from scripts.model.mixed import Mixed
from scripts.model.packed import pack, unpack
from scripts.model.toolcall import OPEN, message_of
from scripts.run import manifest, ready
from scripts.run.ready import Base

logging.disable_progress_bar()
#: The name that asks the base alone.
BASE = "base"
#: Tokens of prompt that one batch may hold, padding counted; and its rows.
SLOTS, ROWS = 16_000, 128
#: A batch is made smaller when no more than this share of it still answers.
SHRINK = 0.7


class Generator:
    """A base with any number of adapters over it, none of them blended in unless asked for by name.

    `tokenizer` is a folder with another tokenizer and chat template than the base's own: those of a training.
    """

    def __init__(
        self,
        base: Path | str,
        revision: str | None = None,
        dtype: torch.dtype | None = None,
        tokenizer: Path | None = None,
        bits: BitsAndBytesConfig | None = None,
    ):
        where = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = dtype or (torch.bfloat16 if where == "cuda" or has_bf16() else torch.float32)
        self.tokenizer = AutoTokenizer.from_pretrained(tokenizer or base, revision=revision, padding_side="left")
        load.refuse_foreign_shards(base)
        options: dict = {"dtype": dtype, "device_map": where, "use_safetensors": True, "quantization_config": bits}
        self.model = AutoModelForCausalLM.from_pretrained(base, revision=revision, **options).eval()
        if where == "cpu":
            if self.model.config._attn_implementation == "sdpa":  # where a model needs another, it stays
                self.model.set_attn_implementation(attention.GROUPED)
            pack(self.model)
        #: The tokens that open a tool call.
        self.opening = self.tokenizer.encode(OPEN, add_special_tokens=False)
        self.ends = {self.tokenizer.eos_token_id} | ids_of(self.model.generation_config.eos_token_id)
        #: What the model without an adapter is called.
        self.name = BASE
        self.adapters: list[str] = []
        self.mixed: Mixed | None = None
        self.judges: dict[str, strict.Judge | None] = {}
        #: Of the last `answers`: what the model wrote, by row, where something else stands in its place.
        self.drafts: dict[int, str] = {}

    def add(self, name: str, run: Path) -> None:
        """Loads an adapter (or a stack) from its folder under a name; weights are safetensors only."""
        if isinstance(self.model, PeftModel):
            self.model.load_adapter(run, adapter_name=name)
        else:
            self.model = PeftModel.from_pretrained(self.model, run, adapter_name=name).eval()
        self.model.to(self.model.dtype)
        for module in self.model.modules():
            if isinstance(module, ModulesToSaveWrapper):  # copies of packed layers, with weights of their own
                unpack(module.modules_to_save)
        self.adapters.append(name)
        self.mixed = None
        self.judges[name] = strict.judge(run)

    def prompt(self, messages: list[dict]) -> list[int]:
        """Token ids of a conversation and the opening of the answer."""
        ids = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        limit = self.model.config.max_position_embeddings
        if len(ids) >= limit:
            raise UserError(f"a conversation of {len(ids)} tokens is longer than the base's {limit}")
        return ids

    def answers(
        self,
        conversations: Sequence[list[dict]],
        adapters: str | Sequence[str] = BASE,
        most: int = 192,
        done: Callable[[int], None] = lambda count: None,
        barred: bool = False,
    ) -> list[str]:
        """One text per conversation, in order; `most` new tokens each; `done` is told how many are finished.

        `barred` keeps an answer from opening with a tool call. An adapter with tools is asked so once more, and told
        why, where its call is not allowed or a call is due (see strict.py); `drafts` keeps what it had written.
        """
        names = [adapters] * len(conversations) if isinstance(adapters, str) else list(adapters)
        prompts = [self.prompt(messages) for messages in conversations]
        texts = self.written(prompts, names, most, done, barred)
        if barred:
            return texts
        first, every = list(texts), range(len(texts))
        due = [row for row in every if OPEN not in texts[row] and self.opened(names[row], conversations[row])]
        opened = [prompts[row] + self.opening for row in due]
        for row, text in zip(due, self.written(opened, [names[row] for row in due], most), strict=True):
            texts[row] = OPEN + text
        misfit = [row for row in every if not self.allowed(names[row], texts[row], conversations[row])]
        calls = {row: texts[row] for row in misfit}
        for row in misfit:
            texts[row] = self.choice(names[row], calls[row], conversations[row])
        empty = [row for row in misfit if not texts[row]]
        if empty:
            told = [self.told(names[row], calls[row], conversations[row], most) for row in empty]
            again = self.answers(told, [names[row] for row in empty], most, barred=True)
            for row, text in zip(empty, again, strict=True):
                allowed = self.allowed(names[row], text, conversations[row])
                texts[row] = text if allowed else message_of(text)["content"] or ""
        self.drafts = {row: first[row] for row in {*due, *misfit}}
        return texts

    def written(
        self,
        prompts: Sequence[list[int]],
        names: Sequence[str],
        most: int,
        done: Callable[[int], None] = lambda count: None,
        barred: bool = False,
    ) -> list[str]:
        """What follows each prompt, in order."""
        texts, finished = [""] * len(prompts), 0
        for batch in cut(prompts):
            new: dict[int, list[int]] = {row: [] for row in batch}
            for row, token in self.steps([prompts[row] for row in batch], [names[row] for row in batch], most, barred):
                new[batch[row]].append(token)
            for row, tokens in new.items():
                texts[row] = self.tokenizer.decode(tokens, skip_special_tokens=True)
            finished += len(batch)
            done(finished)
        return texts

    def opened(self, name: str, messages: list[dict]) -> list[int]:
        """What an adapter's answer is made to begin with: the tokens that open a call, where one is due."""
        judge = self.judges.get(name)
        return [*self.opening] if judge and judge.due(messages) else []

    def allowed(self, name: str, text: str, messages: list[dict]) -> bool:
        """Whether an adapter may say this: its tool calls fit their tools and what the user stated, or it has none."""
        judge = self.judges.get(name)
        return judge is None or judge.allows(text, messages)

    def choice(self, name: str, text: str, messages: list[dict]) -> str:
        """In a refused call's place the likeliest that is allowed; empty where none is."""
        calls = self.judges[name].choices(text, messages)
        return self.likeliest(self.prompt(messages), calls, name) if len(calls) > 1 else "".join(calls)

    def told(self, name: str, draft: str, messages: list[dict], most: int) -> list[dict]:
        """The conversation with the refused call and why it was refused; as it is where no room is left."""
        longer = [*messages, *self.judges[name].refused(draft, messages)]
        try:
            fits = len(self.prompt(longer)) + most < self.model.config.max_position_embeddings
        except UserError:
            fits = False
        return longer if fits else messages

    @torch.inference_mode()
    def likeliest(self, prompt: list[int], texts: list[str], name: str) -> str:
        """Which of these continuations of a prompt the model, with that adapter, finds likeliest."""
        ends = [self.tokenizer.encode(text, add_special_tokens=False) for text in texts]
        longest, pad, device = max(map(len, ends)), self.tokenizer.pad_token_id, self.model.device
        ids = torch.tensor([prompt + each + [pad] * (longest - len(each)) for each in ends], device=device)
        with self.using([name] * len(texts)) as chosen:  # padded on the right, which causal attention never sees
            logits = self.model(input_ids=ids, logits_to_keep=longest + 1, **chosen).logits[:, :-1].float()
        sums = [
            logits[row, range(len(each)), each] - logits[row, : len(each)].logsumexp(-1)
            for row, each in enumerate(ends)
        ]
        return texts[max(range(len(texts)), key=lambda row: float(sums[row].sum()))]

    def stream(self, messages: list[dict], adapter: str = BASE, most: int = 512) -> Iterator[str]:
        """Pieces of one answer as they come; joined they are the whole text.

        What opens as a tool call is held until it is whole and fits its tool.
        """
        held = ""
        for piece in self.pieces(messages, adapter, most):
            held += piece
            if not OPEN.startswith(held[: len(OPEN)]):
                yield held
                held = ""
        if held and not self.allowed(adapter, held, messages):
            draft, held = held, self.choice(adapter, held, messages)
            if not held:
                yield from self.pieces(self.told(adapter, draft, messages, most), adapter, most, barred=True)
        if held:
            yield held

    def pieces(self, messages: list[dict], adapter: str, most: int, barred: bool = False) -> Iterator[str]:
        """Text as it is decoded, whole letters only."""
        tokens, told = [] if barred else self.opened(adapter, messages), ""
        for _, token in self.steps([self.prompt(messages) + tokens], [adapter], most, barred):
            tokens.append(token)
            text = self.tokenizer.decode(tokens, skip_special_tokens=True)
            if not text.endswith("\ufffd"):  # a letter of several bytes may be half there
                yield text[len(told) :]
                told = text

    @torch.inference_mode()
    def steps(
        self, prompts: list[list[int]], names: list[str], most: int, barred: bool = False
    ) -> Iterator[tuple[int, int]]:
        """(row, token) of each new token but the one that ends a turn; rows that ended leave the batch."""
        longest, device = max(map(len, prompts)), self.model.device
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (longest - len(each)) + each for each in prompts], device=device)
        mask = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in prompts], device=device)
        places, cache, rows = (mask.cumsum(1) - 1).clamp(min=0), DynamicCache(), list(range(len(prompts)))
        ended: set[int] = set()
        for count in range(most):
            with self.using([names[row] for row in rows]) as chosen:
                out = self.model(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=places,
                    past_key_values=cache,
                    logits_to_keep=1,
                    **chosen,
                )
            logits = out.logits[:, -1]
            if barred and not count:
                logits[:, self.opening[0]] = -torch.inf
            new = logits.argmax(-1).tolist()
            ended |= {row for row, token in zip(rows, new, strict=True) if token in self.ends}
            alive = [place for place, row in enumerate(rows) if row not in ended]
            for place in alive:
                yield rows[place], new[place]
            if not alive:
                return
            # Not at every end: each new batch size makes oneDNN compile its bf16 kernels anew.
            kept = alive if len(alive) <= SHRINK * len(rows) else list(range(len(rows)))
            ids, places = torch.tensor([[new[place]] for place in kept], device=device), places[kept, -1:] + 1
            if len(kept) < len(rows):
                cache.batch_select_indices(torch.tensor(kept, device=device))
                mask, rows = mask[kept], [rows[place] for place in kept]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], 1)

    @contextmanager
    def using(self, names: list[str]) -> Iterator[dict]:
        """The model answers with these adapters, one a row; yields what its forward must be told besides."""
        kinds = {*names}
        unknown = kinds - {self.name, *self.adapters}
        if unknown:
            raise UserError(f"no adapter {', '.join(unknown)} is loaded; there are: {', '.join(self.adapters)}")
        if len(kinds) > 1:
            if self.mixed is None or not kinds <= {BASE, *self.mixed.names}:  # rows that leave a batch change nothing
                self.mixed = Mixed(self.model, sorted(kinds - {BASE}))
            with self.mixed.using(names):
                by_peft = ["__base__" if name == BASE else name for name in names]
                yield {} if self.mixed.plain else {"adapter_names": by_peft}
        elif kinds == {self.name}:
            with self.model.disable_adapter() if isinstance(self.model, PeftModel) else nullcontext():
                yield {}
        else:
            if self.model.active_adapter != names[0]:
                self.model.set_adapter(names[0])
            yield {}


def has_bf16() -> bool:
    """Whether matrix products in bfloat16 run on instructions of their own on this CPU, instead of being emulated."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def ids_of(value: int | list[int] | None) -> set[int]:
    """One id, several or none, as a set."""
    return set(value) if isinstance(value, list) else {value} - {None}


def cut(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Row numbers in batches, longest first: what is too large for the memory fails at once."""
    found: list[list[int]] = []
    for row in sorted(range(len(prompts)), key=lambda row: -len(prompts[row])):
        if found and len(found[-1]) < ROWS and len(prompts[found[-1][0]]) * (len(found[-1]) + 1) <= SLOTS:
            found[-1].append(row)
        else:
            found.append([row])
    return found


def over(base: Base, runs: Sequence[Path]) -> Generator:
    """A base with the tokenizer and template that these runs were trained with; in 4 bits where all of them were."""
    tokenizer = next((run for run in runs if (run / "tokenizer.json").exists()), None)
    bits = [load.quantisation(run) for run in runs]
    return Generator(base.source, base.revision, tokenizer=tokenizer, bits=bits[0] if bits and all(bits) else None)


def of_base(runs: Path) -> Generator:
    """The base of outputs/<base>/ as its adapters were trained over it; none of them is loaded yet."""
    finished = sorted(path.parent for path in runs.glob("[!.]*/manifest.json"))
    return over(ready.base_of(runs), [run for run in finished if (run / "adapter_config.json").exists()])


def of_run(run: Path) -> Generator:
    """A complete run under its name: an adapter or a stack over its base, or a merged model by itself."""
    if manifest.read(run).get("kind") == "merged":
        made = Generator(run)
        made.name, made.judges[run.name] = run.name, strict.judge(run)
    else:
        made = over(ready.base_under(run), [run])
        made.add(run.name, run)
    return made

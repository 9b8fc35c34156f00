"""One chat request answered: prompt, generation, tool calls, and where it was asked for the tools' results.

`answer` yields steps in the order in which they happen; the front writes them as one JSON object or as a stream.
Tool calls are strict, as they are in the evaluation: see scripts/model/strict.py and `_allowed`.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from scripts.model import strict
from scripts.model.toolcall import OPEN
from scripts.serve.catalog import Catalog
from scripts.serve.deltas import Deltas
from scripts.serve.engine import Engine
from scripts.serve.executor import Executor
from scripts.serve.metrics import Metrics
from scripts.serve.prompt import Prompts
from scripts.serve.request import BadRequest, ChatRequest

ROUNDS = 3  # turns of the model that one request may cause; calls of the last one are not run
ANSWER = 128  # tokens that an answer to a refused call must have room for
_FINISH = {"limit": "length", "eos": "stop", "word": "stop"}


@dataclass
class Answer:
    """What came of a request so far."""

    messages: list[dict] = field(default_factory=list)
    finish: str = "stop"
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def usage(self) -> dict:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }


@dataclass(frozen=True)
class Service:
    """Everything that answering needs, put together once."""

    catalog: Catalog
    engine: Engine
    prompts: Prompts
    executor: Executor
    metrics: Metrics = field(default_factory=Metrics)
    judges: dict[tuple[str, ...], strict.Judge | None] = field(default_factory=dict)

    async def checked(self, request: ChatRequest) -> tuple[list[int], Mapping[str, float]]:
        """Prompt ids and adapter weights; UserError for an unknown model, BadRequest for a prompt that does not fit."""
        weights = self.catalog.weights(request.model, request.weights)
        return await self._fitting(request, request.messages), weights

    async def answer(self, request: ChatRequest, prompt: list[int], weights: Mapping, answer: Answer, client: str):
        """Deltas as they come; tool results as `{"role": "tool", …}`. `answer` is filled on the way."""
        started, first = time.perf_counter(), True
        for round_left in reversed(range(ROUNDS)):
            turn = Deltas(request.calls)
            async for delta in self._allowed(request, prompt, weights, turn, answer):
                if first:
                    self.metrics.first_token.add(time.perf_counter() - started)
                    first = False
                yield delta
            answer.messages.append(turn.message)
            calls = turn.message.get("tool_calls", [])
            if calls:
                answer.finish = "tool_calls"
            if not calls or not request.execute or not round_left:
                break
            for call in calls:
                result = await self._executed(call, request, answer, client)
                answer.messages.append(result)
                yield result
            prompt = await self._fitting(request, [*request.messages, *answer.messages])
        self.metrics.duration.add(time.perf_counter() - started)
        self.metrics.tokens[request.model, "prompt"] += answer.prompt_tokens
        self.metrics.tokens[request.model, "completion"] += answer.completion_tokens

    async def _allowed(self, request: ChatRequest, prompt: list[int], weights: Mapping, turn: Deltas, answer: Answer):
        """One turn. In a refused call's place the likeliest that the user's statements allow, else an answer.

        Where text was sent before the call, that text is the answer.
        """
        judge, said = self._judge(weights) if request.calls else None, [*request.messages, *answer.messages]
        options, opened, room = request.options, prompt, request.options["n_predict"] - len(self.prompts.opening)
        if judge and room > 0 and await asyncio.to_thread(judge.due, said):
            turn.held, opened, options = OPEN, [*prompt, *self.prompts.opening], options | {"n_predict": room}
        async for delta in self._turn(options, opened, weights, turn, answer):
            yield delta
        if judge and turn.held and not await asyncio.to_thread(judge.allows, turn.held, said):
            calls = await asyncio.to_thread(judge.choices, turn.held, said)
            draft = turn.held
            turn.held = await self._chosen(request.options, prompt, weights, calls, answer) if calls else ""
            if not calls and not (turn.message["content"] or "").strip():
                reasons = await asyncio.to_thread(judge.refused, draft, said)
                told = await self._told(request, prompt, [*said, *reasons])
                most = min(request.options["n_predict"], self.engine.size.context - len(told))
                barred = request.options | {"n_predict": most, "logit_bias": [[self.prompts.opening[0], False]]}
                async for delta in self._turn(barred, told, weights, turn, answer):
                    yield delta
                turn.held = turn.held if await asyncio.to_thread(judge.allows, turn.held, said) else ""
        for delta in turn.end():
            yield delta

    async def _told(self, request: ChatRequest, prompt: list[int], messages: list[dict]) -> list[int]:
        """The prompt with a refused call and why it was refused; as it was where they leave no room to answer."""
        longer = await asyncio.to_thread(self.prompts.ids, messages)
        room = self.engine.size.context - len(longer)
        return longer if room >= min(request.options["n_predict"], ANSWER) else prompt

    async def _turn(self, options: dict, prompt: list[int], weights: Mapping, turn: Deltas, answer: Answer):
        """Deltas of what is generated, but for a call at its end, which `turn` holds."""
        pieces = self.engine.complete(prompt, self.catalog.lora(weights), options)
        async for piece in _closing(pieces):
            for delta in turn.feed(piece["content"]):
                yield delta
            if piece["stop"]:
                answer.finish = _FINISH.get(piece.get("stop_type"), "stop")
                answer.prompt_tokens += piece["tokens_evaluated"]
                answer.cached_tokens += piece["timings"]["cache_n"]
                answer.completion_tokens += piece["tokens_predicted"]

    async def _chosen(self, options: dict, prompt: list[int], weights: Mapping, calls: Sequence[str], answer: Answer):
        """Which of these calls the model makes when a grammar allows no other; whole whatever a client's limits."""
        if len(calls) == 1:
            return calls[0]
        grammar = "root ::= " + " | ".join(json.dumps(call, ensure_ascii=False) for call in calls)
        turn, room = Deltas(), self.engine.size.context - len(prompt)
        options = options | {"grammar": grammar, "stop": [], "n_predict": room}
        async for _ in self._turn(options, prompt, weights, turn, answer):
            pass
        return turn.held

    def _judge(self, weights: Mapping[str, float]) -> strict.Judge | None:
        """The judge of these adapters together; made once."""
        names = tuple(sorted(weights))
        if names not in self.judges:
            self.judges[names] = strict.judge(*(self.catalog.adapters[name] for name in names))
        return self.judges[names]

    async def _executed(self, call: dict, request: ChatRequest, answer: Answer, client: str) -> dict:
        said = [*request.messages, *answer.messages[:-1]]
        result = await asyncio.to_thread(self.executor.run, call["function"], said, request.conversation, client)
        return {"role": "tool", "tool_call_id": call["id"], "content": result}

    async def _fitting(self, request: ChatRequest, messages: list[dict]) -> list[int]:
        if sum(len(message["content"] or "") for message in messages) > 40 * self.engine.size.context:
            raise BadRequest("the conversation is far longer than the context", "messages")
        prompt = await asyncio.to_thread(self.prompts.ids, messages)
        room = self.engine.size.context - len(prompt)
        if room < 1:
            raise BadRequest(f"{len(prompt)} tokens; the context has {self.engine.size.context}", "messages")
        request.options["n_predict"] = min(request.options["n_predict"], room)
        return prompt


async def _closing(pieces: AsyncIterator[dict]) -> AsyncIterator[dict]:
    """The same pieces; closes their source at once when the reader goes away, which stops the generation."""
    try:
        async for piece in pieces:
            yield piece
    finally:
        await pieces.aclose()

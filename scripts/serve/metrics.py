"""Counters of one server, and their text for Prometheus. Labels are names of models and outcomes, never user input."""

from collections import Counter
from collections.abc import Iterator, Mapping

BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 120)


class Histogram:
    """Seconds in cumulative buckets."""

    def __init__(self):
        self.counts, self.sum, self.total = [0] * len(BUCKETS), 0.0, 0

    def add(self, seconds: float) -> None:
        self.sum, self.total = self.sum + seconds, self.total + 1
        for index, bound in enumerate(BUCKETS):
            self.counts[index] += seconds <= bound

    def lines(self, name: str) -> Iterator[str]:
        for bound, count in zip((*BUCKETS, "+Inf"), (*self.counts, self.total), strict=True):
            yield f'{name}_bucket{{le="{bound}"}} {count}'
        yield f"{name}_sum {self.sum:.6f}"
        yield f"{name}_count {self.total}"


class Metrics:
    """What the front counts; `text` adds what it is told of now."""

    def __init__(self):
        self.requests: Counter[tuple[str, int]] = Counter()
        self.tokens: Counter[tuple[str, str]] = Counter()
        self.first_token, self.duration = Histogram(), Histogram()

    def text(self, active: int, outcomes: Mapping[str, int]) -> str:
        """The exposition format, version 0.0.4."""
        lines = ["# HELP requests_total POST requests by model and HTTP status.", "# TYPE requests_total counter"]
        lines += [f'requests_total{{model="{m}",status="{s}"}} {n}' for (m, s), n in sorted(self.requests.items())]
        lines += ["# HELP tokens_total Tokens read and generated.", "# TYPE tokens_total counter"]
        lines += [f'tokens_total{{model="{m}",kind="{k}"}} {n}' for (m, k), n in sorted(self.tokens.items())]
        lines += ["# HELP tool_calls_total Calls that the executor got, by outcome.", "# TYPE tool_calls_total counter"]
        lines += [f'tool_calls_total{{outcome="{o}"}} {n}' for o, n in sorted(outcomes.items())]
        lines += ["# HELP requests_active Requests answered or waiting now.", "# TYPE requests_active gauge"]
        lines += [f"requests_active {active}"]
        for name, what, histogram in (
            ("first_token_seconds", "Time to the first piece of an answer.", self.first_token),
            ("request_seconds", "Time to the end of an answer.", self.duration),
        ):
            lines += [f"# HELP {name} {what}", f"# TYPE {name} histogram", *histogram.lines(name)]
        return "\n".join(lines) + "\n"

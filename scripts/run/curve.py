"""The loss curve of a run as a picture."""

from collections.abc import Sequence
from pathlib import Path


def draw(steps: Sequence[dict], target: Path, title: str) -> None:
    """A PNG of 800 x 450 pixels: loss by step, each step thin and the moving mean thick; log scale."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    at, loss = [step["step"] for step in steps], [step["loss"] for step in steps]
    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=100)
    axes.plot(at, loss, color="#9db8d9", linewidth=0.8, label="each step")
    axes.plot(at, smooth(loss), color="#1f4e8c", linewidth=2, label="moving mean")
    axes.set(xlabel="step", ylabel="loss (nats per trained token)", yscale="log", title=title)
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.tight_layout()
    figure.savefig(target)
    plt.close(figure)


def smooth(values: Sequence[float], keep: float = 0.9) -> list[float]:
    """Exponential moving mean, corrected for its start."""
    found, mean = [], 0.0
    for count, value in enumerate(values, 1):
        mean = keep * mean + (1 - keep) * value
        found.append(mean / (1 - keep**count))
    return found

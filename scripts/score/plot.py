"""Small inline SVG: a loss curve and score bars with interval and gate. No library, no network."""

from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 220, 48, 28


def loss_curve(progress: Sequence[dict]) -> str:
    """Loss over steps with a smoothed line; '' below two points."""
    points = [(float(each["step"]), float(each["loss"])) for each in progress if each.get("loss") is not None]
    if len(points) < 2:
        return ""
    smooth = list(zip((x for x, _ in points), _smoothed([y for _, y in points]), strict=True))
    top = max(y for _, y in points) * 1.05 or 1.0
    first, final = points[0][0], points[-1][0]

    def place(x: float, y: float) -> str:
        return f"{LEFT + (x - first) / ((final - first) or 1) * (WIDTH - LEFT - 8):.1f},{_y(y, top):.1f}"

    grid = "".join(_grid(top * part / 4, top) for part in range(5))
    lines = "".join(
        f'<polyline class="{name}" points="{" ".join(place(*point) for point in each)}"/>'
        for name, each in (("raw", points), ("smooth", smooth))
    )
    labels = f'<text x="{LEFT}" y="{HEIGHT - 8}">step {first:.0f}</text>'
    labels += (
        f'<text x="{WIDTH - 8}" y="{HEIGHT - 8}" text-anchor="end">step {final:.0f}, loss {smooth[-1][1]:.3f}</text>'
    )
    opening = f'<svg class="loss" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="training loss">'
    return f"{opening}{grid}{lines}{labels}</svg>"


def _y(value: float, top: float) -> float:
    return 8 + (1 - value / top) * (HEIGHT - BOTTOM - 8)


def _grid(value: float, top: float) -> str:
    y = _y(value, top)
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.2f}</text>'


def _smoothed(values: Sequence[float], keep: float = 0.85) -> list[float]:
    """Exponential moving average, corrected for its start."""
    total, out = 0.0, []
    for count, value in enumerate(values, 1):
        total = keep * total + (1 - keep) * value
        out.append(total / (1 - keep**count))
    return out


def bar(line: dict) -> str:
    """Base and adapter as bars of 0 to 100 %, with the adapter's interval as a whisker and the gate as a tick."""
    parts = [f'<rect class="base" y="2" height="6" width="{_x(line["base"])}"/>']
    parts.append(f'<rect class="adapter" y="10" height="10" width="{_x(line["adapter"])}"/>')
    if "interval" in line:
        low, high = (_x(value) for value in line["interval"])
        parts.append(f'<path class="whisker" d="M{low} 12v6M{low} 15H{high}M{high} 12v6"/>')
    if line["gate"] is not None:
        at = _x(line["gate"] * (line["base"] if line["relative"] else 1))
        parts.append(f'<path class="gate" d="M{at} 0v22"/>')
    return f'<svg class="bar" viewBox="0 0 200 22" role="img" aria-label="base and adapter">{"".join(parts)}</svg>'


def _x(share: float) -> float:
    return round(200 * min(max(share, 0.0), 1.0), 1)

"""A picture of a threshold sweep: how often each rule would fire against the threshold it was given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["draw_sweep"]


def draw_sweep(levels: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the picture of a report's ``sweep``; its format follows the ending of ``path``. Needs matplotlib (extra
    ``plot``).
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.fonttype"] = "none"
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    names = list(dict.fromkeys(level["rule"] for level in levels))
    for name in names:
        points = [(level["on"], level["per_day"]) for level in levels if level["rule"] == name]
        axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, 1)
    axes.set_xlabel("threshold (on)")
    axes.set_ylabel("incidents a camera-day")
    axes.grid(alpha=0.3)
    if names:
        axes.legend()
    figure.savefig(path, dpi=100)

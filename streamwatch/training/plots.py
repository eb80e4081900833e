"""Pictures of an evaluation, one file each: ROC, precision and recall, reliability, confusion at the thresholds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_plots"]

Curve = tuple[NDArray[np.bool_], NDArray[np.float64]]


def _draw_roc(axes: Any, event: str, truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> None:
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    found, false = np.cumsum(truth[order])[ends] / truth.sum(), np.cumsum(~truth[order])[ends] / (~truth).sum()
    axes.plot([0, *false], [0, *found], label=event)
    axes.set(xlabel="false positives", ylabel="found", xlim=(0, 1), ylim=(0, 1.02))


def _draw_precision(axes: Any, event: str, truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> None:
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(truth[order])
    axes.plot(hits / truth.sum(), hits / np.arange(1, len(truth) + 1), label=event)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))


def draw_plots(report: Mapping[str, Any], curves: Mapping[str, Curve], folder: Path) -> list[Path]:
    """Into ``folder``; events of which there is one side only are left out. → the files.

    Raises ModuleNotFoundError without matplotlib.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    drawn = {event: curve for event, curve in curves.items() if 0 < curve[0].sum() < len(curve[0])}
    files = []
    for name, draw in (("roc", _draw_roc), ("precision_recall", _draw_precision)):
        figure = Figure(figsize=(5, 4.5), layout="constrained")
        axes = figure.subplots()
        for event, (truth, scores) in drawn.items():
            draw(axes, event, truth, scores)
        files.append(_finish(figure, axes, bool(drawn), folder / f"{name}.png"))
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    for event in drawn:
        stated, found, _ = zip(*report["events"][event]["reliability"], strict=True)
        axes.plot(stated, found, marker="o", label=event)
    axes.set(xlabel="stated probability", ylabel="found frequency", xlim=(0, 1), ylim=(0, 1))
    files.append(_finish(figure, axes, bool(drawn), folder / "reliability.png"))
    files.append(_draw_confusion(report, folder / "confusion.png"))
    return files


def _finish(figure: Any, axes: Any, named: bool, path: Path) -> Path:
    if named:
        axes.legend()
    figure.savefig(path, dpi=110)
    return path


def _draw_confusion(report: Mapping[str, Any], path: Path) -> Path:
    from matplotlib.figure import Figure

    events = report["events"]
    figure = Figure(figsize=(2.6 * len(events), 2.8), layout="constrained")
    for axes, (event, known) in zip(np.atleast_1d(figure.subplots(1, len(events))), events.items(), strict=True):
        at = known["at_threshold"]
        cells = [
            [at["true_negatives"], at["false_positives"]],
            [at["false_negatives"], at["true_positives"]],
        ]
        axes.imshow(cells, cmap="Blues", vmin=0)
        for row in range(2):
            for column in range(2):
                axes.text(column, row, str(cells[row][column]), ha="center", va="center")
        axes.set(xticks=[0, 1], yticks=[0, 1], xticklabels=["quiet", "found"], yticklabels=["no", "yes"])
        axes.set_title(f"{event} at {at['threshold']:.2f}", fontsize=9)
    figure.savefig(path, dpi=110)
    return path

"""A picture of what was detected: scores over time, thresholds, incidents, and frames beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamwatch.models.pack import EventCard
from streamwatch.offline import Step
from streamwatch.rules.alert import AlertType
from streamwatch.video.frame import Image

__all__ = ["Timeline"]

MAX_THUMBNAILS = 256  # kept while reading; every second one is let go when there are more
COLUMNS = 6


@dataclass(slots=True)
class Timeline:
    """Collects the steps of a recording; bounded in pictures, one number a second and event."""

    times: list[float] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    spans: list[tuple[str | None, float, float]] = field(default_factory=list)  # event, start, end
    _pictures: list[tuple[float, Image]] = field(default_factory=list)
    _every: int = 1

    def add(self, step: Step) -> None:
        """Take one step."""
        for detection in step.detections:
            if detection.zone is None:
                self.times.append(detection.end)
                for event, score in detection.scores.items():
                    self.scores.setdefault(event, []).append(score)
                self._keep(detection.end, step.clip.frames[len(step.clip.frames) // 2])
        for alert in step.alerts:
            if alert.type is AlertType.END and alert.end_time is not None:
                self.spans.append((alert.event, alert.start_time, alert.end_time))

    def draw(self, path: Path, title: str, thresholds: Mapping[str, EventCard]) -> None:
        """Write the picture; its format follows the ending of ``path``. Needs matplotlib (extra ``plot``)."""
        import matplotlib as mpl
        from matplotlib.figure import Figure

        mpl.rcParams["svg.fonttype"] = "none"
        rows = len(self.scores)
        figure = Figure(figsize=(14, 3.0 + 1.5 * rows), layout="constrained")
        grid = figure.add_gridspec(rows + 1, COLUMNS, height_ratios=[1.6, *[1.0] * rows])
        figure.suptitle(title)
        for column, (at, picture) in enumerate(self._chosen()):
            self._draw_picture(figure.add_subplot(grid[0, column]), at, picture)
        for row, (event, values) in enumerate(self.scores.items(), start=1):
            axes = figure.add_subplot(grid[row, :])
            self._draw_event(axes, event, values, thresholds)
            axes.set_xlabel("seconds" if row == rows else "")
        figure.savefig(path, dpi=100)

    def _keep(self, at: float, picture: Image) -> None:
        if len(self.times) % self._every == 0:
            self._pictures.append((at, picture))
        if len(self._pictures) > MAX_THUMBNAILS:
            self._pictures = self._pictures[::2]
            self._every *= 2

    def _chosen(self) -> Sequence[tuple[float, Image]]:
        """The picture with the highest score of each equal part of the recording."""
        count = min(COLUMNS, len(self._pictures))
        best = {at: max(column) for at, column in zip(self.times, zip(*self.scores.values(), strict=True), strict=True)}
        parts = [
            self._pictures[i * len(self._pictures) // count :][: -(-len(self._pictures) // count)] for i in range(count)
        ]
        return [max(part, key=lambda item: best[item[0]]) for part in parts]

    def _draw_picture(self, axes: Any, at: float, picture: Image) -> None:
        index = self.times.index(at)
        lines = [f"{event} {values[index]:.2f}" for event, values in self.scores.items()]
        axes.imshow(picture, aspect=9 / 16)
        axes.set_title(f"{at:.0f} s", fontsize=9)
        axes.set_xlabel("\n".join(lines), fontsize=8)
        axes.set_xticks([])
        axes.set_yticks([])

    def _draw_event(self, axes: Any, event: str, values: list[float], thresholds: Mapping[str, EventCard]) -> None:
        axes.step(self.times, values, where="pre", color="tab:blue")
        if event in thresholds:
            axes.axhline(thresholds[event].on, color="tab:red", linewidth=0.8, linestyle="--")
            axes.axhline(thresholds[event].off, color="tab:gray", linewidth=0.8, linestyle=":")
        for cause, start, end in self.spans:
            if cause == event:
                axes.axvspan(start, end, color="tab:red", alpha=0.2)
        axes.set_ylim(0, 1)
        axes.set_xlim(0, max(self.times))
        axes.set_ylabel(event)

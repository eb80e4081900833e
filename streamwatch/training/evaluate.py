"""A pack on labelled clips: what it finds, next to what pixel difference finds. Measured on the files that ship."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import EventCard, load_pack
from streamwatch.training.data import Entry, Images, clips_of, read_pictures
from streamwatch.training.manifest import Manifest
from streamwatch.training.metrics import area, average_precision, grouped_interval, poisson_upper
from streamwatch.training.windows import every_window

__all__ = [
    "ABLATIONS",
    "Scored",
    "alarms",
    "evaluate",
    "homes",
    "pixel_baseline",
    "score_clips",
    "score_file",
    "table",
]

Array = NDArray[np.float64]
Change = Callable[[Images], Images]
ABLATIONS: dict[str, Change] = {
    "single_frame": lambda clip: np.repeat(clip[:1], len(clip), 0),
    "shuffled": lambda clip: clip[[5, 2, 7, 0, 4, 1, 6, 3]],
}


@dataclass(frozen=True, slots=True)
class Scored:
    """One file: ``scores`` [seconds, E] of the window that ends there; ``pixels`` [3] of raw difference."""

    entry: Entry
    scores: Array
    pixels: Array


def _pixel_difference(clip: Images) -> Array:
    """Mean, 99th percentile and largest step of |f(t+1) − f(t)| in grey levels, as logarithms [3]."""
    grey = clip.astype(np.float32).mean(-1)
    step = np.abs(np.diff(grey, axis=0))
    return np.log(0.1 + np.array([step.mean(), np.percentile(step, 99), step.mean((1, 2)).max()], np.float64))


def score_file(model: OnnxModel, path: Path, change: Change | None = None) -> tuple[Array, Array]:
    """Probabilities [n, E], one a second as live, and the pixel differences [3] of one file. n may be 0."""
    tokens, pixels = [], []
    for _, _, clip in clips_of(read_pictures(path), model.card.size):
        frames = clip if change is None else change(clip)
        tokens.append(model.encode(np.ascontiguousarray(frames)[None])[0][0])
        pixels.append(_pixel_difference(clip))
    if not tokens:
        return np.zeros((0, len(model.card.events))), np.zeros(3)
    return model.score(*every_window(np.stack(tokens), model.card.window)), np.mean(pixels, 0)


def score_clips(model: OnnxModel, root: Path, entries: Sequence[Entry], change: Change | None = None) -> list[Scored]:
    """Every file that is long enough for one clip."""
    found = []
    for entry in tqdm(entries, desc="evaluate", mininterval=5):
        scores, pixels = score_file(model, root / entry.path, change)
        if len(scores):
            found.append(Scored(entry, scores, pixels))
    return found


def pixel_baseline(train: Sequence[Scored], test: Sequence[Scored], event: str) -> Array:
    """Scores [n] of ``test`` by a logistic regression on three scalars of raw pixel difference."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(np.stack([s.pixels for s in train]), [s.entry.shows(event) for s in train])
    return np.asarray(model.decision_function(np.stack([s.pixels for s in test])), np.float64)


def alarms(scores: Array, on: float, off: float, of: int = 3, least: int = 2) -> list[int]:
    """Seconds at which an alarm starts: ``least`` of the last ``of`` scores at or above ``on``; ends below ``off``."""
    found, open_ = [], False
    for i in range(len(scores)):
        recent = scores[max(0, i + 1 - of) : i + 1]
        if not open_ and (recent >= on).sum() >= least:
            found.append(i)
            open_ = True
        elif open_ and scores[i] < off:
            open_ = False
    return found


def homes(entries: Sequence[Entry], event: str) -> frozenset[str]:
    """The sources that show ``event``: against their normal clips a model is measured, not against other rooms."""
    return frozenset(entry.source for entry in entries if entry.shows(event))


def _event_figures(
    test: Sequence[Scored], sources: frozenset[str], event: str, column: int, card: EventCard
) -> dict[str, Any]:
    on, off = card.on, card.off
    home = [s for s in test if s.entry.source in sources]
    truth = np.array([s.entry.shows(event) for s in home], bool)
    best = np.array([s.scores[:, column].max() for s in home])
    every = np.array([s.scores[:, column].max() for s in test])
    every_truth = np.array([s.entry.shows(event) for s in test], bool)
    quiet = [s for s in test if s.entry.label == "normal"]
    hours = sum(len(s.scores) for s in quiet) / 3600
    false = sum(len(alarms(s.scores[:, column], on, off)) for s in quiet)
    seconds = sum(int((s.scores[:, column] >= on).sum()) for s in quiet)
    return {
        "clips": len(home),
        "positives": int(truth.sum()),
        "auc": area(truth, best),
        "auc_95": grouped_interval(truth, best, np.array([s.entry.group for s in home])),
        "ap": average_precision(truth, best),
        "auc_all_clips": area(every_truth, every),
        "ap_all_clips": average_precision(every_truth, every),
        "recall_at_on": float((best[truth] >= on).mean()) if truth.any() else float("nan"),
        "clips_false_at_on": int((best[~truth] >= on).sum()),
        "false_alarms_2_of_3": false,
        "false_seconds": seconds,
        "normal_hours": hours,
        "false_alarms_per_hour_95_upper": poisson_upper(false, hours) if hours else float("nan"),
    }


def evaluate(
    manifest: Manifest, pack: str = "bundled", split: str = "val", *, baselines: bool = True, ablations: bool = False
) -> dict[str, Any]:
    """Figures by event for the clips of ``split`` in ``manifest``.

    A clip's score is the largest of its windows. Baselines are fitted on the split ``train`` of the same table.
    """
    model = OnnxModel(load_pack(pack), "cpu")
    root, entries = manifest.root, manifest.entries
    test = score_clips(model, root, [e for e in entries if e.split == split])
    events = list(model.card.events)
    report: dict[str, Any] = {"pack": model.info.name, "version": model.info.version, "split": split, "events": {}}
    shown = {event: homes(entries, event) for event in events}
    for column, event in enumerate(events):
        report["events"][event] = _event_figures(test, shown[event], event, column, model.card.events[event])
    if baselines:
        known = frozenset().union(*shown.values())
        train = _pixels_only(root, [e for e in entries if e.split == "train" and e.source in known], model.card.size)
        for event in events:
            report["events"][event]["pixel_difference_auc"] = _baseline_area(train, test, shown[event], event)
    if ablations:
        for name, change in ABLATIONS.items():
            changed = score_clips(model, root, [s.entry for s in test], change)
            for column, event in enumerate(events):
                figures = _event_figures(changed, shown[event], event, column, model.card.events[event])
                report["events"][event][f"{name}_auc"] = figures["auc"]
    return report


def _pixels_only(root: Path, entries: Sequence[Entry], size: int) -> list[Scored]:
    found = []
    for entry in tqdm(entries, desc="baseline", mininterval=5):
        pixels = [_pixel_difference(clip) for *_, clip in clips_of(read_pictures(root / entry.path), size)]
        if pixels:
            found.append(Scored(entry, np.zeros((len(pixels), 0)), np.mean(pixels, 0)))
    return found


def _baseline_area(train: Sequence[Scored], test: Sequence[Scored], sources: frozenset[str], event: str) -> float:
    train = [s for s in train if s.entry.source in sources]
    test = [s for s in test if s.entry.source in sources]
    if len({s.entry.shows(event) for s in train}) < 2 or not test:
        return float("nan")
    truth = np.array([s.entry.shows(event) for s in test], bool)
    return area(truth, pixel_baseline(train, test, event))


def table(report: Mapping[str, Any]) -> str:
    """The report as text, one event a line."""
    lines = [f"{report['pack']} {report['version']} on {report['split']}"]
    for event, f in report["events"].items():
        low, high = f["auc_95"]
        line = f"{event:12} AUC {f['auc']:.3f} ({low:.2f}-{high:.2f})  AP {f['ap']:.3f}"
        line += f"  {f['positives']}/{f['clips']} clips"
        line += f"  all clips {f['auc_all_clips']:.3f}  found at on {f['recall_at_on']:.2f}"
        line += f"  false alarms {f['false_alarms_2_of_3']} in {f['normal_hours']:.2f} h"
        for name in ("pixel_difference_auc", "single_frame_auc", "shuffled_auc"):
            if name in f:
                line += f"  {name.removesuffix('_auc')} {f[name]:.3f}"
        lines.append(line)
    return "\n".join(lines)

"""A pack on labelled clips: what it finds, next to what pixel difference finds. Measured on the files that ship."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from streamwatch.errors import TrainingError
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import EventCard, load_pack
from streamwatch.training.baselines import baseline_figures
from streamwatch.training.data import Entry, Images, clips_of, read_pictures
from streamwatch.training.manifest import Manifest, require_split
from streamwatch.training.metrics import (
    area,
    average_precision,
    expected_calibration_error,
    grouped_interval,
    poisson_upper,
    recall_at_false_positives,
    reliability,
    report_at,
)
from streamwatch.training.skipped import SHORT, Skipped
from streamwatch.training.windows import every_window

__all__ = [
    "ABLATIONS",
    "Evaluation",
    "Scored",
    "alarms",
    "evaluate",
    "homes",
    "score_clips",
    "score_file",
    "table",
]

Array = NDArray[np.float64]
Truth = NDArray[np.bool_]
Groups = NDArray[np.str_]
Change = Callable[[Images], Images]
ABLATIONS: dict[str, Change] = {
    "single_frame": lambda clip: np.repeat(clip[:1], len(clip), 0),
    "shuffled": lambda clip: clip[[5, 2, 7, 0, 4, 1, 6, 3]],
}


@dataclass(frozen=True, slots=True)
class Scored:
    """One file: ``scores`` [seconds, E] of the window that ends there."""

    entry: Entry
    scores: Array


def score_file(model: OnnxModel, path: Path, change: Change | None = None) -> Array:
    """Probabilities [n, E], one a second as live, of one file. n may be 0."""
    tokens = []
    for _, _, clip in clips_of(read_pictures(path), model.card.size):
        frames = clip if change is None else change(clip)
        tokens.append(model.encode(np.ascontiguousarray(frames)[None])[0][0])
    if not tokens:
        return np.zeros((0, len(model.card.events)))
    return model.score(*every_window(np.stack(tokens), model.card.window))


def score_clips(model: OnnxModel, root: Path, entries: Sequence[Entry], change: Change | None = None) -> list[Scored]:
    """Every file that is long enough for one clip; the others are named and counted."""
    found, skipped = [], Skipped(len(entries))
    for entry in tqdm(entries, desc="evaluate", mininterval=5):
        try:
            scores = score_file(model, root / entry.path, change)
        except TrainingError as error:
            skipped.failed(error)
            continue
        if len(scores):
            found.append(Scored(entry, scores))
        else:
            skipped.left_out(entry.path, SHORT)
    skipped.sum_up()
    return found


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


def _columns(scored: Sequence[Scored], event: str, column: int) -> tuple[Truth, Array, Groups]:
    """Truth, highest score and group of each file of which it is known whether it shows ``event``."""
    known = [s for s in scored if s.entry.says(event)]
    truth = np.array([s.entry.shows(event) for s in known], bool)
    best = np.array([s.scores[:, column].max() for s in known], np.float64)
    return truth, best, np.array([s.entry.group for s in known], np.str_)


def _paired(truth: Truth, scores: Array, groups: Groups) -> dict[str, float]:
    """Only groups that show the event and its absence: there the place gives nothing away."""
    both = [name for name in np.unique(groups) if 0 < truth[groups == name].sum() < (groups == name).sum()]
    rows = np.isin(groups, both)
    return {"groups": len(both), "clips": int(rows.sum()), "auc": area(truth[rows], scores[rows])}


def _event_figures(
    test: Sequence[Scored], sources: frozenset[str], event: str, column: int, card: EventCard
) -> dict[str, Any]:
    on, off = card.on, card.off
    truth, best, groups = _columns([s for s in test if s.entry.source in sources], event, column)
    every_truth, every, _ = _columns(test, event, column)
    quiet = [s for s in test if s.entry.label == "normal" and s.entry.says(event)]
    hours = sum(len(s.scores) for s in quiet) / 3600
    false = sum(len(alarms(s.scores[:, column], on, off)) for s in quiet)
    seconds = sum(int((s.scores[:, column] >= on).sum()) for s in quiet)
    return {
        "clips": len(truth),
        "positives": int(truth.sum()),
        "negatives": int((~truth).sum()),
        "auc": area(truth, best),
        "auc_95": grouped_interval(truth, best, groups),
        "ap": average_precision(truth, best),
        "ap_95": grouped_interval(truth, best, groups, figure=average_precision),
        "recall_at_5_percent_false_positives": recall_at_false_positives(truth, best),
        "paired_groups": _paired(truth, best, groups),
        "ece": expected_calibration_error(truth, best),
        "reliability": reliability(truth, best),
        "at_threshold": report_at(truth, best, on),
        "auc_all_clips": area(every_truth, every),
        "ap_all_clips": average_precision(every_truth, every),
        "recall_at_on": float((best[truth] >= on).mean()) if truth.any() else float("nan"),
        "clips_false_at_on": int((best[~truth] >= on).sum()),
        "false_alarms_2_of_3": false,
        "false_seconds": seconds,
        "normal_hours": hours,
        "false_alarms_per_hour_95_upper": poisson_upper(false, hours) if hours else float("nan"),
    }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``report`` as it goes into JSON; ``curves`` are truth and score of each event's home clips, to be drawn."""

    report: dict[str, Any]
    curves: dict[str, tuple[Truth, Array]]


def evaluate(
    manifest: Manifest, pack: str = "bundled", split: str = "val", *, baselines: bool = True, ablations: bool = True
) -> Evaluation:
    """Figures by event for the clips of ``split`` in ``manifest``.

    A clip's score is the largest of its windows. It is measured among the clips of the sources that show the event,
    and of which it is known. Baselines are fitted on the split ``train`` of the same manifest; ``ablations`` score all
    clips twice more. Raises TrainingError for a split without clips, or of which none can be scored.
    """
    entries, chosen = manifest.entries, require_split(manifest, split)
    model = OnnxModel(load_pack(pack), "cpu")
    test = score_clips(model, manifest.root, chosen)
    if not test:
        raise TrainingError(f"{manifest.path}: not one of {len(chosen)} clips in split {split!r} can be scored")
    events = list(model.card.events)
    shown = {event: homes(entries, event) for event in events}

    def figures(scored: Sequence[Scored]) -> dict[str, dict[str, Any]]:
        return {e: _event_figures(scored, shown[e], e, i, model.card.events[e]) for i, e in enumerate(events)}

    report: dict[str, Any] = {
        "pack": model.info.name,
        "version": model.info.version,
        "manifest": manifest.path.name,
        "split": split,
        "clips": len(test),
        "skipped": len(chosen) - len(test),
        "events": figures(test),
        "baselines": {},
        "ablations": {},
    }
    if baselines:
        report["baselines"] = baseline_figures(manifest, [s.entry for s in test], shown, model.card.size)
    if ablations:
        for name, change in ABLATIONS.items():
            found = figures(score_clips(model, manifest.root, [s.entry for s in test], change))
            report["ablations"][name] = {e: {"auc": f["auc"], "ap": f["ap"]} for e, f in found.items()}
    curves = {}
    for column, event in enumerate(events):
        curves[event] = _columns([s for s in test if s.entry.source in shown[event]], event, column)[:2]
    return Evaluation(report, curves)


def table(report: Mapping[str, Any]) -> str:
    """The report as text, a few lines an event."""
    counted = f"{report['clips']} clips" + (f", {report['skipped']} skipped" if report["skipped"] else "")
    lines = [f"{report['pack']} {report['version']} on {report['split']} of {report['manifest']}: {counted}"]
    for event, f in report["events"].items():
        (low, high), (ap_low, ap_high) = f["auc_95"], f["ap_95"]
        lines.append(
            f"{event:12} AUC {f['auc']:.3f} ({low:.2f}-{high:.2f})  AP {f['ap']:.3f} ({ap_low:.2f}-{ap_high:.2f})"
            f"  {f['positives']}/{f['clips']} clips  all clips {f['auc_all_clips']:.3f}"
        )
        at, pair = f["at_threshold"], f["paired_groups"]
        lines.append(
            f"{'':12} at {at['threshold']:.2f}: precision {at['precision']:.2f} recall {at['recall']:.2f}"
            f" F1 {at['f1']:.2f}  at 5 % false positives: recall {f['recall_at_5_percent_false_positives']:.2f}"
            f"  ECE {f['ece']:.2f}  {pair['groups']} paired groups: AUC {pair['auc']:.3f}"
        )
        lines.append(f"{'':12} false alarms {f['false_alarms_2_of_3']} in {f['normal_hours']:.2f} h")
        beside = {**report["baselines"], **report["ablations"]}
        if beside:
            lines.append(f"{'':12} " + "  ".join(f"{name} {known[event]['auc']:.3f}" for name, known in beside.items()))
    return "\n".join(lines)

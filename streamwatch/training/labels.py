"""What is known about each second of each clip: 1, 0, or not known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamwatch.training.data import Entry, Segment
from streamwatch.training.events import EVENTS
from streamwatch.training.features import Features

__all__ = ["Labelling", "first_event", "labels_at", "now_targets", "token_labels", "token_weights", "truth_of"]

DROP = 1.2  # seconds from a fall's onset to the floor; what one looks like who lies there is not known
AFTER_FALL = 3  # seconds for which a fall counts as now


@dataclass(frozen=True, slots=True)
class Labelling:
    """What a label leaves unsaid: ``unsaid`` names, for clips that show one event, others that may happen there too
    and that nobody marked; sources in ``complete`` mark everything."""

    unsaid: Mapping[str, Sequence[str]] = field(default_factory=lambda: {"fight": ("fall",)})
    complete: Sequence[str] = ("synthetic",)

    def known(self, entry: Entry, event: str) -> bool:
        if not entry.says(event):
            return False
        if entry.shows(event) or entry.source in self.complete or entry.annotates is not None:
            return True
        return not any(event in self.unsaid.get(label, ()) for label in (entry.label, *entry.also))


DEFAULT = Labelling()


def first_event(entry: Entry) -> str:
    """The first event that the clip shows, else ``normal``."""
    return next((label for label in (entry.label, *entry.also) if label in EVENTS), "normal")


def truth_of(entry: Entry) -> NDArray[np.float32]:
    """[E]: whether the clip shows each event anywhere, nan where nobody looked for it."""
    return np.array([float(entry.shows(e)) if entry.says(e) else np.nan for e in EVENTS], np.float32)


def token_labels(
    features: Features,
    entries: Sequence[Entry],
    segments: Mapping[str, Sequence[Segment]],
    labelling: Labelling = DEFAULT,
) -> NDArray[np.float32]:
    """[n, E] with nan for what the source does not say. Shoplifting is weak: the act is somewhere in the clip."""
    labels = np.full((len(features.x), len(EVENTS)), np.nan, np.float32)
    for i, number in enumerate(features.entry):
        at = (float(features.start[i]), float(features.end[i]))
        labels[i] = labels_at(entries[number], segments.get(entries[number].path, ()), at, labelling)
    return labels


def labels_at(
    entry: Entry, segments: Sequence[Segment], at: tuple[float, float], labelling: Labelling = DEFAULT
) -> NDArray[np.float32]:
    """[E] for one clip of ``entry``, from and to ``at`` in its seconds."""
    known = (_value(entry, segments, event, at) if labelling.known(entry, event) else np.nan for event in EVENTS)
    return np.array([*known], np.float32)


def _value(entry: Entry, segments: Sequence[Segment], event: str, at: tuple[float, float]) -> float:
    if not entry.shows(event):
        return 0.0
    if event == "fall":
        return _falling(segments, at)
    return _share(segments, event, at) if event == "fight" else 1.0


def _share(segments: Sequence[Segment], event: str, at: tuple[float, float]) -> float:
    """1 for at least half a clip inside the event, 0 outside, nan between; without segments all of it is."""
    spans = [(a, b) for a, b, label, _ in segments if label == event]
    if not spans:
        return 1.0
    overlap = sum(max(0.0, min(b, at[1]) - max(a, at[0])) for a, b in spans) / (at[1] - at[0])
    return 1.0 if overlap >= 0.5 else 0.0 if overlap == 0.0 else np.nan


def _falling(segments: Sequence[Segment], at: tuple[float, float]) -> float:
    onsets = [a for a, _, label, _ in segments if label == "fall"]
    if not onsets:
        return np.nan
    inside = max(min(a + DROP, at[1]) - max(a, at[0]) for a in onsets) / (at[1] - at[0])
    if inside >= 0.5:
        return 1.0
    return 0.0 if at[1] <= min(onsets) + 0.1 else np.nan


def token_weights(features: Features, entries: Sequence[Entry]) -> NDArray[np.float64]:
    """[n] so that a file weighs as the square root of its seconds, however often it was disturbed."""
    counts = np.bincount(features.entry, minlength=len(entries)).astype(np.float64)
    seconds = np.array([entry.seconds for entry in entries])
    share = np.sqrt(np.maximum(seconds, 1.0)) / np.maximum(counts, 1.0)
    return np.asarray(share[features.entry], np.float64)


def now_targets(labels: NDArray[np.float32], filled: float) -> NDArray[np.float32]:
    """[n, E] of one window, oldest first → [E]: is it happening now?

    The newest second decides; one second after the end is not known. A fall counts for three. Shoplifting is
    known to be there only when most of its clip is in sight: ``filled`` is the share of the clip's tokens that the
    window holds.
    """
    target: NDArray[np.float32] = labels[-1].copy()
    if len(labels) > 1:
        just_over = (target == 0.0) & (labels[-2] != 0.0)
        target[just_over] = np.nan
    fall, shop = EVENTS.index("fall"), EVENTS.index("shoplifting")
    if (labels[-AFTER_FALL:, fall] == 1.0).any():
        target[fall] = 1.0
    if target[shop] == 1.0 and filled < 0.7:
        target[shop] = np.nan
    return target

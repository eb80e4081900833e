"""What really happened, and how an incident of the rules compares with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from streamwatch.rules.backtest import Firing
from streamwatch.rules.sight import Coverage

__all__ = ["SLACK", "Judgement", "Truth", "judge"]

SLACK = 10.0
"""Seconds after its end in which an event may still be told of: the window that scores it ends later than it."""


@dataclass(frozen=True, slots=True)
class Truth:
    """``label``, an event or the name of a rule, happened at ``camera`` from ``start`` to ``end`` (the log's time)."""

    camera: str
    start: float
    end: float
    label: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a label fared. ``delays`` are seconds from an event's start to the ``new`` of the first incident that met it,
    left out where that had been told before.

    ``unseen`` events lie where the camera had no scores at all, and count neither as found nor as missed.
    """

    label: str
    events: int
    found: int
    unseen: int
    false_alarms: int
    hours: float
    delays: tuple[float, ...]

    @property
    def recall(self) -> float | None:
        """Share of the events seen that some incident met."""
        return self.found / self.events if self.events else None

    @property
    def false_alarms_per_hour(self) -> float | None:
        return self.false_alarms / self.hours if self.hours else None

    @property
    def median_delay(self) -> float | None:
        return median(self.delays) if self.delays else None


def judge(firings: Sequence[Firing], truths: Sequence[Truth], coverage: Sequence[Coverage]) -> list[Judgement]:
    """One judgement for each label of ``truths``, which must name all that happened; what touches is one event.

    An incident belongs to a label that is its event's or its rule's name; one that meets no event of it is a false
    alarm. Incidents of rules and events without a label are not judged.
    """
    hours = sum(camera.seconds for camera in coverage) / 3600
    return [_judge(label, firings, truths, coverage, hours) for label in sorted({truth.label for truth in truths})]


def _judge(
    label: str, firings: Sequence[Firing], truths: Sequence[Truth], coverage: Sequence[Coverage], hours: float
) -> Judgement:
    mine = [firing for firing in firings if label in (firing.event, firing.rule)]
    happened = _joined(truth for truth in truths if truth.label == label)
    seen = [truth for truth in happened if any(_seen(truth, camera) for camera in coverage)]
    met = [[firing for firing in mine if _meets(firing, truth)] for truth in seen]
    told = [min(f.opened for f in hits) - truth.start for truth, hits in zip(seen, met, strict=True) if hits]
    delays = tuple(delay for delay in told if delay >= 0)
    alarms = [firing for firing in mine if not any(_meets(firing, truth) for truth in happened)]
    return Judgement(label, len(seen), len(told), len(happened) - len(seen), len(alarms), hours, delays)


def _joined(truths: Iterable[Truth]) -> list[Truth]:
    joined: list[Truth] = []
    for truth in sorted(truths, key=lambda truth: (truth.camera, truth.start)):
        last = joined[-1] if joined else None
        if last is not None and last.camera == truth.camera and truth.start <= last.end:
            joined[-1] = replace(last, end=max(last.end, truth.end))
        else:
            joined.append(truth)
    return joined


def _meets(firing: Firing, truth: Truth) -> bool:
    last = max(firing.end, firing.opened)
    return firing.camera == truth.camera and firing.start <= truth.end + SLACK and truth.start <= last


def _seen(truth: Truth, camera: Coverage) -> bool:
    return camera.camera == truth.camera and camera.first <= truth.end and truth.start <= camera.last

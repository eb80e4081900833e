"""``anomaly``: more moves than is usual on this camera at this time of day: ``{anomaly: 0.999, warm_up: 24h}``.

The number is a rank: 0.999 says that of what this camera showed around this hour of the day only a thousandth moved as
much. What is ranked is motion (see ``motion``), smoothed over SMOOTH seconds, in the ``zone`` if one is named; what it
is held against is ``baseline.py``: hour of the day in UTC, this one and its neighbours, the past fading by half in two
weeks. It holds from ``anomaly`` to ``off`` (if left out, where ten times as much of the past lies above), and only if
the smoothed motion is at least ``least`` grey levels (0.5 if left out: below, nobody moves), since on a camera where
nothing ever happens the noise of the picture has its highest thousandth too.

It is *unknown* until ``warm_up`` (24 h if left out, at least 1 h) was seen of the camera, gaps not counted, and it
cannot reach a rank that it has not seen enough for: 0.999 takes a thousand scores around the hour. It learns from
all it sees, also while it holds: what lasts becomes usual. Seconds in a row are alike, so 0.999 is not one alarm in a
thousand seconds but one stretch of 86 s a day on a camera whose days are alike, or many short ones; use ``for``.

What was learnt survives gaps, silences and restarts (``learnt``; what was seen in between is not made up for), but not
a change of the rule's text: then it warms up anew.
No score is involved: there is no evidence.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, inf, isfinite
from struct import calcsize, pack, unpack_from
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamwatch.models.detection import Detection
from streamwatch.rules.baseline import Baseline
from streamwatch.rules.condition import SILENCE, Condition, Evidence, Standing
from streamwatch.rules.duration import Duration
from streamwatch.rules.hysteresis import fault_of_off
from streamwatch.rules.node import Node
from streamwatch.rules.rest import ALWAYS, NEVER, Band, Rest

__all__ = ["SMOOTH", "Anomaly", "AnomalyCondition", "parse_anomaly"]

SMOOTH = 10.0
"""Seconds: a change reaches 63 % of its height in so long."""


class _AnomalyKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    anomaly: Annotated[float, Field(ge=0.5, lt=1)]
    off: Annotated[float, Field(gt=0, lt=1)] | None = None
    least: Annotated[float, Field(ge=0, le=255)] = 0.5
    warm_up: Annotated[Duration, Field(ge=3600)] = 86_400.0
    zone: Annotated[str, Field(max_length=64)] | None = None

    @model_validator(mode="after")
    def _hysteresis(self) -> "_AnomalyKeys":
        if fault := fault_of_off("anomaly", self.anomaly, self.off):
            raise ValueError(fault)
        return self


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The parsed operator; ``warm_up`` is in seconds."""

    on: float
    off: float
    least: float
    warm_up: float
    zone: str | None

    @property
    def zones(self) -> frozenset[str | None]:
        return frozenset((self.zone,))

    def start(self) -> Condition:
        return AnomalyCondition(self)


class AnomalyCondition:
    """Holds from ``rank >= on`` to ``rank < off``; unknown until warm, and after a gap until the next detection."""

    __slots__ = ("_active", "_baseline", "_known", "_level", "_quiet", "_rank", "_seen", "_since", "_term")

    def __init__(self, term: Anomaly) -> None:
        self._term = term
        self._baseline = Baseline()
        self._known = 0.0  # seconds seen
        self._quiet = term.least * (1 - 1e-9)  # rounding cannot lift below ``least`` what is below this
        self._active: bool | None = None
        self._since = -inf
        self._seen = -inf
        self._level: float | None = None
        self._rank: float | None = None

    def observe(self, detection: Detection) -> bool | None:
        at = detection.end
        if detection.zone != self._term.zone:
            if at - self._seen > SILENCE:
                self._active = None
            return self._active
        if not isfinite(detection.motion):
            raise ValueError(f"camera {detection.camera}: motion is not a number")
        if not isfinite(at):
            return self._active
        level = self._smooth(detection.motion, at)
        # below ``least`` it does not hold, whatever the rank, which is then found only if somebody asks
        self._rank = self._baseline.rank(level, at) if level >= self._term.least else None
        self._baseline.learn(level, at)
        active = self._judge(self._rank) if self._known >= self._term.warm_up else None
        if active is not self._active:
            self._active, self._since = active, at
        return active

    def evidence(self) -> Evidence | None:
        return None

    def standing(self) -> Standing:
        """Whether it holds, since when, and the rank against ``on``."""
        if self._active is None or self._level is None:
            return Standing(None)
        rank = self._baseline.rank(self._level, self._seen) if self._rank is None else self._rank
        return Standing(self._active, self._since, rank, self._term.on)

    def inside(self) -> tuple[Condition, ...]:
        return ()

    def rest(self) -> Rest:
        """While less than ``least`` moves it does not hold, whatever the rank, or stays unknown until it is warm; but
        it must ``study`` what it does not hear.
        """
        if self._level is None or not self._level < self._quiet:
            return NEVER
        if self._known >= self._term.warm_up:
            return NEVER if self._active is None else ALWAYS
        cold = self._seen + self._term.warm_up - self._known - 1.0  # sums of seconds are rounded
        return Rest(cold, cold)

    def band(self) -> Band:
        """Where motion may be: what is smoothed lies between what was."""
        return Band(None, 0.0, self._quiet)

    def study(self, times: Iterable[float], motions: Iterable[float]) -> None:
        """Learn from detections at ``times`` that were not heard, in order, during a rest."""
        for at, motion in zip(times, motions, strict=True):
            self._baseline.learn(self._smooth(motion, at), at)

    def learnt(self) -> bytes:
        """What is usual, and how much was seen."""
        return pack("<d", self._known) + self._baseline.to_bytes()

    def recall(self, learnt: bytes) -> None:
        """Go on from there. Raises ValueError for what cannot be."""
        known = float(unpack_from("<d", learnt)[0]) if len(learnt) >= calcsize("<d") else -1.0
        if not 0 <= known < inf:
            raise ValueError("what was learnt cannot be read: not the seconds seen")
        self._baseline = Baseline.from_bytes(learnt[calcsize("<d") :])
        self._known = known

    def reset(self) -> None:
        self._active = None
        self._level = None
        self._seen = -inf

    def _smooth(self, motion: float, at: float) -> float:
        step = at - self._seen
        if self._level is None or not 0 <= step <= SILENCE:
            level = motion
        else:
            level = motion + (self._level - motion) * exp(-step / SMOOTH)
            self._known += step
        self._level, self._seen = level, at
        return level

    def _judge(self, rank: float | None) -> bool:
        if rank is None or rank < self._term.off:
            return False
        return rank >= self._term.on or self._active is True


def parse_anomaly(node: Node) -> Anomaly:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_AnomalyKeys)
    node.require_zone(keys.zone)
    off = max(1.0 - 10.0 * (1.0 - keys.anomaly), 0.5 * keys.anomaly) if keys.off is None else keys.off
    return Anomaly(keys.anomaly, off, keys.least, keys.warm_up, keys.zone)

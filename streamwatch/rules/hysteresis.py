"""A level that crossed a threshold, with hysteresis: on from ``level >= on`` until ``level < off``."""

from dataclasses import dataclass
from math import inf

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import SILENCE, Condition, Evidence, Standing
from streamwatch.rules.rest import ALWAYS, NEVER, Band, Rest

__all__ = ["Hysteresis", "Threshold", "fault_of_off", "off_of"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """What the score of ``event`` in ``zone`` is held against; without an event, the motion there."""

    event: str | None
    zone: str | None
    on: float
    off: float


def fault_of_off(word: str, on: float, off: float | None) -> str | None:
    """Why ``off`` does not go with ``on``, which rule files call ``word``, or None."""
    return f"off ({off:g}) must be below {word} ({on:g})" if off is not None and off >= on else None


def off_of(on: float, off: float | None) -> float:
    """``off``; if it was left out, a quarter below ``on``."""
    return 0.75 * on if off is None else off


class Hysteresis:
    """A condition: the level of its zone's detections against ``threshold``.

    Unknown before the zone's first detection and when others were heard for SILENCE after its last.
    """

    __slots__ = ("_active", "_event", "_level", "_off", "_on", "_seen", "_since", "_zone")

    def __init__(self, threshold: Threshold) -> None:
        self._event = threshold.event
        self._zone = threshold.zone
        self._on = threshold.on
        self._off = threshold.off
        self._active: bool | None = None
        self._since = -inf  # when it became so
        self._level = 0.0
        self._seen = -inf

    def observe(self, detection: Detection) -> bool | None:
        if detection.zone != self._zone:
            if detection.end - self._seen > SILENCE:
                self._active = None
            return self._active
        self._level = level = detection.motion if self._event is None else detection.scores[self._event]
        self._seen = detection.end
        if level >= self._on:
            active = True
        elif level < self._off:
            active = False
        elif level != level:  # noqa: PLR0124 - cheaper than isnan, and only between off and on
            what = "motion" if self._event is None else f"score of {self._event}"
            raise ValueError(f"camera {detection.camera}: {what} is not a number")
        else:
            active = self._active is True
        if active is not self._active:
            self._active = active
            self._since = detection.end
        return active

    def evidence(self) -> Evidence | None:
        if not self._active or self._event is None:
            return None
        return Evidence(self._event, self._zone, float(self._level), self._on)

    def reset(self) -> None:
        self._active = None
        self._seen = -inf

    def standing(self) -> Standing:
        """Whether it holds, since when, and the level against ``on``."""
        if self._active is None:
            return Standing(None)
        return Standing(self._active, self._since, float(self._level), self._on)

    def inside(self) -> tuple[Condition, ...]:
        return ()

    def rest(self) -> Rest:
        return NEVER if self._active is None else ALWAYS

    def band(self) -> Band:
        """Where the level changes nothing."""
        return Band(self._event, self._off, inf) if self._active else Band(self._event, -inf, self._on)

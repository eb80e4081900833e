"""``motion``: how widely things move crossed a threshold, with hysteresis: ``{motion: 0.2, off: 0.1, zone: gate}``.

The unit is the model's: ``Detection.motion``, the mean over the picture's (or zone's) cells of the newest clip's
motion weights. The bundled encoder's weights are relative to the cell that moves most in the same clip, so this is
how *widely* things move, not how much: some 0.1 where a person walks through a still picture, but 0.2 to 0.4 where
nothing happens and only the camera's noise moves, everywhere alike. So it does not tell an empty place from a busy
one; a pack whose encoder gives an absolute measure would. Look at a camera's own values before choosing a threshold.
No score is involved: there is no evidence. ``off`` is 0.75 · ``motion`` if left out.
"""

from dataclasses import dataclass
from math import inf
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import SILENCE, Condition, Evidence
from streamwatch.rules.node import Node

__all__ = ["Motion", "MotionCondition", "parse_motion"]


class _MotionKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    motion: Annotated[float, Field(gt=0, le=2)]
    off: Annotated[float, Field(gt=0, le=2)] | None = None
    zone: Annotated[str, Field(max_length=64)] | None = None

    @model_validator(mode="after")
    def _hysteresis(self) -> "_MotionKeys":
        if self.off is not None and self.off >= self.motion:
            raise ValueError(f"off ({self.off:g}) must be below motion ({self.motion:g})")
        return self


@dataclass(frozen=True, slots=True)
class Motion:
    """The parsed operator."""

    on: float
    off: float
    zone: str | None

    @property
    def zones(self) -> frozenset[str | None]:
        return frozenset((self.zone,))

    def start(self) -> Condition:
        return MotionCondition(self)


class MotionCondition:
    """Holds from ``motion >= on`` to ``motion < off``; unknown as an event's condition is."""

    __slots__ = ("_active", "_seen", "_term")

    def __init__(self, term: Motion) -> None:
        self._term = term
        self._active: bool | None = None
        self._seen = -inf

    def observe(self, detection: Detection) -> bool | None:
        if detection.zone != self._term.zone:
            if detection.end - self._seen > SILENCE:
                self._active = None
            return self._active
        self._seen = detection.end
        level = detection.motion
        if not level >= self._term.off:
            if level != level:  # noqa: PLR0124 - not a number
                raise ValueError(f"camera {detection.camera}: motion is not a number")
            self._active = False
        else:
            self._active = level >= self._term.on or self._active is True
        return self._active

    def evidence(self) -> Evidence | None:
        return None

    def reset(self) -> None:
        self._active = None
        self._seen = -inf


def parse_motion(node: Node) -> Motion:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_MotionKeys)
    if keys.zone is not None:
        node.require(node.vocabulary.fault_of_zone(keys.zone, node.cameras), "zone")
    return Motion(keys.motion, 0.75 * keys.motion if keys.off is None else keys.off, keys.zone)

"""``motion``: how much moves crossed a threshold, with hysteresis: ``{motion: 2, off: 1, zone: gate}``.

The unit is grey levels (0–255): ``Detection.motion`` is the mean change between the samples of the newest clip (an
eighth of a second apart with the bundled pack) in the three most active cells of the picture, or of the zone, above
what noise, lamps and exposure change everywhere (``models/activity.py``). Measured, as 5 %, 50 % and 95 % of seconds::

    nobody: an empty hall by infrared           0.0    0.0    0.2
    nobody: synthetic cameras with noise        0.1    0.2    0.3
    somebody stands or lies still               0.2    0.5    1.9
    people 40 pixels tall, far down a street    0.3    2.8    6.3
    two men in a laboratory                     0.6    3.9     11
    a man sweeps a hall                         2.4    7.4     25
    people walk across a lawn                   6.4     13     20
    a light is switched                         0.1    2.5    6.3

So 0.5 says that somebody is there and not frozen (94 % of seconds in which people move about, 0.3 % of those in which
nobody does), 2 that somebody moves about (77 %, none). No level tells one who lies still from an empty room. A camera
that swings, rain and branches move too: look at a camera's own values before choosing.
No score is involved: there is no evidence. ``off`` is 0.75 · ``motion`` if left out.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from streamwatch.rules.condition import Condition
from streamwatch.rules.hysteresis import Hysteresis, Threshold, fault_of_off, off_of
from streamwatch.rules.node import Node

__all__ = ["Motion", "parse_motion"]


class _MotionKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    motion: Annotated[float, Field(gt=0, le=255)]
    off: Annotated[float, Field(gt=0, le=255)] | None = None
    zone: Annotated[str, Field(max_length=64)] | None = None

    @model_validator(mode="after")
    def _hysteresis(self) -> "_MotionKeys":
        if fault := fault_of_off("motion", self.motion, self.off):
            raise ValueError(fault)
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
        return Hysteresis(Threshold(None, self.zone, self.on, self.off))


def parse_motion(node: Node) -> Motion:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_MotionKeys)
    node.require_zone(keys.zone)
    return Motion(keys.motion, off_of(keys.motion, keys.off), keys.zone)

"""``camera``: a camera is in a state: ``{camera: offline}`` or ``{camera: [offline, failed]}``.

States come by ``RuleBook.camera`` and hold until the next one. They are heard like the detections of a zone of their
own: once when they change and then at each whole second of time that passes, so that ``for``, ``absent`` and
``schedule`` work without detections. A state is nothing that a model said: there is no evidence, and the alert's
model is named ``none``.
"""

from dataclasses import dataclass
from math import inf
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from streamwatch.document import nearest
from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.rules.condition import SILENCE, Condition, Evidence, Standing
from streamwatch.rules.node import Node
from streamwatch.rules.rest import ALWAYS, NEVER, Rest

__all__ = ["GONE", "NO_MODEL", "STATES", "STATUS", "CameraCondition", "InState", "parse_camera", "status"]

STATES = ("connecting", "online", "blurred", "moved", "dark", "covered", "frozen", "offline", "disabled", "failed")
STATUS = "@status"
"""The zone in which states are heard; no zone of a site can be named so."""
NO_MODEL = ModelInfo("none", "", "")
GONE = "gone"
"""No state that a rule can name: the camera is watched elsewhere from now on."""


def status(camera: str, state: str, at: float) -> Detection:
    """The state of ``camera`` at ``at`` in a detection's clothes."""
    return Detection(camera, at, at, STATUS, {state: 1.0}, 0.0, 1.0, NO_MODEL)


def _states(value: object) -> object:
    states = [value] if isinstance(value, str) else value
    if not isinstance(states, list) or not states:
        raise ValueError(f"must be one or a list of {', '.join(STATES)}")
    for state in states:
        if state not in STATES:
            raise ValueError(f"{str(state)[:64]!r} is not one of {', '.join(STATES)}{nearest(str(state), STATES)}")
    return states


class _CameraKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    camera: Annotated[tuple[str, ...], BeforeValidator(_states), Field(max_length=len(STATES))]


@dataclass(frozen=True, slots=True)
class InState:
    """The parsed operator."""

    states: frozenset[str]

    @property
    def zones(self) -> frozenset[str | None]:
        return frozenset((STATUS,))

    def start(self) -> Condition:
        return CameraCondition(self)


class CameraCondition:
    """Holds while the camera's state is one of those; unknown before the first and after a silence."""

    __slots__ = ("_holds", "_seen", "_states")

    def __init__(self, term: InState) -> None:
        self._states = term.states
        self._holds: bool | None = None
        self._seen = -inf

    def observe(self, detection: Detection) -> bool | None:
        if detection.zone == STATUS:
            self._seen = detection.end
            self._holds = not self._states.isdisjoint(detection.scores)
        elif detection.end - self._seen > SILENCE:
            self._holds = None
        return self._holds

    def evidence(self) -> Evidence | None:
        return None

    def standing(self) -> Standing:
        return Standing(self._holds)

    def inside(self) -> tuple[Condition, ...]:
        return ()

    def rest(self) -> Rest:
        """As long as the state is the same; whoever tells another one wakes the rule."""
        return NEVER if self._holds is None else ALWAYS

    def reset(self) -> None:
        self._holds = None
        self._seen = -inf


def parse_camera(node: Node) -> InState:
    """The operator from its mapping. Raises RuleError."""
    return InState(frozenset(node.read(_CameraKeys).camera))

"""``on_cameras … within``: conditions on several cameras, joined. A step is a condition beside the cameras it is about.

::

    on_cameras:                                   # on each of two cameras, within 5 s of each other
      - {cameras: lobby, event: fight, on: 0.8}
      - {cameras: ["exit-*"], event: fall, on: 0.7}
    within: 5s

    {on_cameras: [{cameras: "*", event: fight, on: 0.8}], at_least: 3, within: 1m}       # on any three cameras

    on_cameras: [{cameras: lobby, motion: 2}, {cameras: "exit-*", motion: 2}]            # on one, then on the next
    in_order: true
    within: 1m

**Together.** A step *counts* on a camera from when it holds there until ``within`` after it last did. It holds while
each step counts on a camera of its own – with ``at_least``, while any step counts on so many cameras – and one of them
still holds.

**In order.** It holds while the last step holds, if the others held before, one after another, each on another
camera than the one before it, the first no longer than ``within`` ago. What happens in between does not matter (skip
till next match), two steps never match at one time, and a step that holds for long may be matched at any moment of it.
*Overlap:* of partial matches equally far only the two that began last are kept, on two different cameras: whatever
completes another one completes one of these. So none is lost, and there are at most two a step.

What has happened stays so: a gap makes the steps on that camera unknown, but undoes nothing that was matched. It is
unknown, where it does not hold, while one of its steps is unknown on a camera that was ever heard. It remembers a
state for each step and camera. Its evidence is the strongest that counts, in order that of the last step that has any;
its cameras are those that count in the order in which they began to, or those of the steps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from streamwatch.errors import RuleError
from streamwatch.rules.condition import Condition, Term
from streamwatch.rules.duration import Duration
from streamwatch.rules.in_order import InOrderCondition
from streamwatch.rules.k_of_n import KOfN
from streamwatch.rules.node import Node
from streamwatch.rules.places import Places
from streamwatch.rules.together import TogetherCondition
from streamwatch.rules.tree import children
from streamwatch.rules.vocabulary import is_glob

__all__ = ["MAX_STEPS", "OnCameras", "fault_of_join", "hears", "joins", "parse_on_cameras"]

MAX_STEPS = 16


class _OnCamerasKeys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    on_cameras: Annotated[list[object], Field(min_length=1, max_length=MAX_STEPS)]
    within: Annotated[Duration, Field(gt=0)]
    at_least: Annotated[int, Field(ge=2, le=1000)] | None = None
    in_order: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "_OnCamerasKeys":
        if self.in_order and self.at_least is not None:
            raise ValueError("at_least and in_order do not go together")
        if self.at_least is None and len(self.on_cameras) < 2:
            raise ValueError("one step alone joins nothing; add one, or say at_least: 2")
        return self


class _StepKeys(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    cameras: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z0-9_*?\[\]!-]{1,64}$")], ...],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        Field(min_length=1, max_length=256),
    ]


@dataclass(frozen=True, slots=True)
class OnCameras:
    """The parsed operator; ``cameras`` are the globs of each step, ``within`` is in seconds."""

    steps: tuple[Term, ...]
    cameras: tuple[tuple[str, ...], ...]
    within: float
    at_least: int | None
    in_order: bool

    @property
    def zones(self) -> frozenset[str | None]:
        return frozenset[str | None]().union(*(step.zones for step in self.steps))

    def start(self) -> Condition:
        places = Places(self.started, tuple(step.start() for step in self.steps))
        if self.in_order:
            return InOrderCondition(places, self.within, len(self.steps))
        return TogetherCondition(places, self.within, len(self.steps), self.at_least)

    def started(self, camera: str) -> Iterator[tuple[int, Condition]]:
        """The steps that are about ``camera``, with fresh state."""
        for i, (step, globs) in enumerate(zip(self.steps, self.cameras, strict=True)):
            if any(fnmatchcase(camera, glob) for glob in globs):
                yield i, step.start()


def joins(term: Term) -> bool:
    """Whether ``term`` is about several cameras at once."""
    return isinstance(term, OnCameras) or any(joins(inner) for _, inner in children(term))


def hears(term: Term, camera: str) -> bool:
    """Whether ``term``, which joins cameras, is about ``camera`` too."""
    if isinstance(term, OnCameras):
        return any(fnmatchcase(camera, glob) for globs in term.cameras for glob in globs)
    return any(hears(inner, camera) for _, inner in children(term))


def fault_of_join(term: Term) -> str | None:
    """Why ``term``, which joins cameras, cannot stand in a rule, or None."""
    if isinstance(term, OnCameras):
        return "on_cameras does not stand inside on_cameras" if any(map(joins, term.steps)) else None
    if isinstance(term, KOfN) and joins(term):
        return "k_of_n counts the detections of one camera; on_cameras does not stand inside it"
    inside = [inner for _, inner in children(term)]
    if not inside and term.zones:
        return "on which camera? Beside on_cameras, what is about one camera stands in its steps"
    return next((fault for inner in inside if (fault := fault_of_join(inner))), None)


def parse_on_cameras(node: Node) -> OnCameras:
    """The operator from its mapping. Raises RuleError."""
    keys = node.read(_OnCamerasKeys)
    steps: list[Term] = []
    cameras: list[tuple[str, ...]] = []
    for i, value in enumerate(keys.on_cameras):
        where = f"{node.where}.on_cameras[{i}]"
        globs, condition = _step(node, value, where)
        step = node.parse(condition, where, globs)
        if not step.zones:
            raise RuleError(f"{where}: hears no detection; join it with an event, motion or camera by all")
        steps.append(step)
        cameras.append(globs)
    term = OnCameras(tuple(steps), tuple(cameras), keys.within, keys.at_least, keys.in_order)
    node.require(_unreachable(term), "on_cameras")
    return term


def _step(node: Node, value: object, where: str) -> tuple[tuple[str, ...], object]:
    if not isinstance(value, dict) or "cameras" not in value:
        return node.cameras, value
    inner = Node(value, where, node.vocabulary, node.cameras, node.parse)
    globs = inner.read(_StepKeys).cameras
    for glob in globs:
        inner.require(node.vocabulary.fault_of_camera(glob), "cameras")
    return globs, {key: condition for key, condition in value.items() if key != "cameras"}


def _unreachable(term: OnCameras) -> str | None:
    """Why ``term`` can never hold, if its cameras are all named and too few."""
    if any(is_glob(glob) for globs in term.cameras for glob in globs):
        return None
    named = {camera for globs in term.cameras for camera in globs}
    needed = term.at_least or (2 if term.in_order else len(term.steps))
    return f"can never hold: names {len(named)} cameras and needs {needed}" if len(named) < needed else None

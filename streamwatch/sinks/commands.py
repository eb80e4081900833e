"""What may be asked of streamwatch over MQTT: a camera on or off, alerts once more. Nothing else."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Command", "CommandGate", "ReplayAlerts", "SwitchCamera"]

_SWITCH_LIMIT = 16  # bytes; the longest is OFF
_REPLAY_LIMIT = 128  # bytes
_SEQUENCE_LIMIT = 2**63  # what the store can count to
_BURST = 5.0
_SWITCHES_PER_SECOND = 1.0  # per camera
_REPLAYS_PER_SECOND = 0.2


@dataclass(frozen=True, slots=True)
class SwitchCamera:
    """``ON`` or ``OFF`` on ``<prefix>/<camera>/enabled/set``."""

    camera: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class ReplayAlerts:
    """``{"after": <sequence>}`` on ``<prefix>/replay/request``: publish again all alerts above it."""

    after: int


Command = SwitchCamera | ReplayAlerts


class CommandGate:
    """Turns messages into commands and everything else into a reason for refusing it.

    Each topic takes five commands at once, a camera's then one a second, replay one in five. Time is an argument
    (monotonic s).
    """

    def __init__(self, prefix: str, cameras: Iterable[str]) -> None:
        self._cameras = {f"{prefix}/{camera}/enabled/set": camera for camera in cameras}
        self._replay = f"{prefix}/replay/request"
        self._allowance: dict[str, tuple[float, float]] = {}  # topic → (left, when)

    def read(self, topic: str, payload: bytes, retained: bool, at: float) -> Command | str:
        """The command in a message, or why it is refused."""
        camera = self._cameras.get(topic)
        if camera is None and topic != self._replay:
            return "no such camera or command"
        if retained:  # would be carried out again at every connect
            return "retained commands are ignored"
        limit = _REPLAY_LIMIT if camera is None else _SWITCH_LIMIT
        if len(payload) > limit:
            return f"{len(payload)} bytes, more than {limit}"
        command = _replay(payload) if camera is None else _switch(camera, payload)
        if not isinstance(command, str) and not self._allow(topic, command, at):
            return "too many commands"
        return command

    def _allow(self, topic: str, command: Command, at: float) -> bool:
        rate = _SWITCHES_PER_SECOND if isinstance(command, SwitchCamera) else _REPLAYS_PER_SECOND
        left, when = self._allowance.get(topic, (_BURST, at))
        left = min(_BURST, left + max(0.0, at - when) * rate)
        allowed = left >= 1.0
        self._allowance[topic] = (left - 1.0 if allowed else left, at)
        return allowed


def _switch(camera: str, payload: bytes) -> SwitchCamera | str:
    return SwitchCamera(camera, payload == b"ON") if payload in (b"ON", b"OFF") else "neither ON nor OFF"


def _replay(payload: bytes) -> ReplayAlerts | str:
    try:
        found: Any = json.loads(payload)
    except (ValueError, RecursionError):
        return "is not JSON"
    if not isinstance(found, dict) or set(found) != {"after"}:
        return 'is not of the form {"after": <sequence>}'
    after = found["after"]
    if type(after) is not int or not 0 <= after < _SEQUENCE_LIMIT:  # True is an int, too
        return "after is not a whole number from 0 on"
    return ReplayAlerts(after)

"""What may be asked of streamwatch over MQTT: a camera on or off, alerts once more, the rules read anew."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Command", "CommandGate", "ReloadRules", "ReplayAlerts", "SwitchCamera"]

_SHORT = 16  # bytes; OFF and {}
_LONG = 128  # bytes
_SEQUENCE_LIMIT = 2**63  # what the store can count to
_BURST = 5.0
_SWITCHES_PER_SECOND = 1.0  # per camera
_OTHERS_PER_SECOND = 0.2  # per topic


@dataclass(frozen=True, slots=True)
class SwitchCamera:
    """``ON`` or ``OFF`` on ``<prefix>/<camera>/enabled/set``."""

    camera: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class ReplayAlerts:
    """``{"after": <sequence>}`` on ``<prefix>/replay/request``: publish again all alerts above it."""

    after: int


@dataclass(frozen=True, slots=True)
class ReloadRules:
    """Nothing or ``{}`` on ``<prefix>/rules/reload``: read the rule files again."""


Command = SwitchCamera | ReplayAlerts | ReloadRules


class CommandGate:
    """Turns messages into commands and everything else into a reason for refusing it.

    Each topic takes five commands at once, a camera's then one a second, the others one in five. Time is an argument
    (monotonic s).
    """

    def __init__(self, prefix: str, cameras: Iterable[str]) -> None:
        self._cameras = {f"{prefix}/{camera}/enabled/set": camera for camera in cameras}
        self._replay = f"{prefix}/replay/request"
        self._reload = f"{prefix}/rules/reload"
        self._allowance: dict[str, tuple[float, float]] = {}  # topic → (left, when)

    def read(self, topic: str, payload: bytes, retained: bool, at: float) -> Command | str:
        """The command in a message, or why it is refused."""
        if topic not in (self._replay, self._reload) and topic not in self._cameras:
            return "no such camera or command"
        if retained:  # would be carried out again at every connect
            return "retained commands are ignored"
        limit = _LONG if topic == self._replay else _SHORT
        if len(payload) > limit:
            return f"{len(payload)} bytes, more than {limit}"
        command = self._parse(topic, payload)
        if not isinstance(command, str) and not self._allow(topic, command, at):
            return "too many commands"
        return command

    def _parse(self, topic: str, payload: bytes) -> Command | str:
        if topic == self._replay:
            return _replay(payload)
        if topic == self._reload:
            return ReloadRules() if payload in (b"", b"{}") else "neither empty nor {}"
        return _switch(self._cameras[topic], payload)

    def _allow(self, topic: str, command: Command, at: float) -> bool:
        rate = _SWITCHES_PER_SECOND if isinstance(command, SwitchCamera) else _OTHERS_PER_SECOND
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

"""What may be asked of streamwatch over MQTT: a camera on or off, alerts once more, the rules read anew, orders."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from streamwatch.errors import OrderError
from streamwatch.rules.order import Acknowledge, Snooze, parse_acknowledge, parse_snooze

__all__ = ["Command", "CommandGate", "ReloadRules", "ReplayAlerts", "SwitchCamera"]

_SHORT = 16  # bytes; OFF and {}
_LONG = 128  # bytes
_WORDS = 2048  # bytes; a note of 256 characters, each escaped
_SEQUENCE_LIMIT = 2**63  # what the store can count to
_BURST = 5.0
_SWITCHES_PER_SECOND = 1.0  # per camera
_OTHERS_PER_SECOND = 0.2  # per topic
_ACKS_PER_SECOND = 2.0  # in all
_ACK_BURST = 20.0


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


Command = SwitchCamera | ReplayAlerts | ReloadRules | Acknowledge | Snooze


class CommandGate:
    """Turns messages into commands and everything else into a reason for refusing it.

    Each topic takes five commands at once, a camera's then one a second, the others one in five. Of acknowledgements,
    whose topics are without number, twenty are taken at once and then two a second. Time is an argument (monotonic s).
    """

    def __init__(self, prefix: str, cameras: Iterable[str]) -> None:
        self._cameras = {f"{prefix}/{camera}/enabled/set": camera for camera in cameras}
        self._replay = f"{prefix}/replay/request"
        self._reload = f"{prefix}/rules/reload"
        self._ack = re.compile(f"{re.escape(prefix)}/alerts/([0-9A-HJKMNP-TV-Z]{{26}})/ack")
        self._limits = {**dict.fromkeys(self._cameras, _SHORT), self._reload: _SHORT, self._replay: _LONG}
        self._limits[f"{prefix}/rules/snooze"] = _WORDS  # bytes, by topic
        self._allowance: dict[str, tuple[float, float]] = {}  # topic → (left, when)

    def read(self, topic: str, payload: bytes, retained: bool, at: float) -> Command | str:
        """The command in a message, or why it is refused."""
        if topic not in self._limits and not self._ack.fullmatch(topic):
            return "no such camera, incident or command"
        if retained:  # would be carried out again at every connect
            return "retained commands are ignored"
        limit = self._limits.get(topic, _WORDS)
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
        if topic not in self._cameras:
            return self._order(topic, payload)
        return _switch(self._cameras[topic], payload)

    def _order(self, topic: str, payload: bytes) -> Acknowledge | Snooze | str:
        found = self._ack.fullmatch(topic)
        try:
            return parse_acknowledge(found[1], payload) if found else parse_snooze(payload)
        except OrderError as error:
            return str(error)

    def _allow(self, topic: str, command: Command, at: float) -> bool:
        rate = _SWITCHES_PER_SECOND if isinstance(command, SwitchCamera) else _OTHERS_PER_SECOND
        burst = _BURST
        if isinstance(command, Acknowledge):
            topic, rate, burst = "acknowledgements", _ACKS_PER_SECOND, _ACK_BURST
        left, when = self._allowance.get(topic, (burst, at))
        left = min(burst, left + max(0.0, at - when) * rate)
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

"""What may be asked of streamwatch over MQTT: switching a camera on or off, nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["CommandGate", "SwitchCamera"]

_SIZE_LIMIT = 16  # bytes; the longest command is OFF
_BURST = 5.0
_PER_SECOND = 1.0


@dataclass(frozen=True, slots=True)
class SwitchCamera:
    """``ON`` or ``OFF`` on ``<prefix>/<camera>/enabled/set``."""

    camera: str
    enabled: bool


class CommandGate:
    """Turns messages into commands and everything else into a reason for refusing it.

    Each camera may be switched five times at once and then once a second. Time is an argument (monotonic s).
    """

    def __init__(self, prefix: str, cameras: Iterable[str]) -> None:
        self._topics = {f"{prefix}/{camera}/enabled/set": camera for camera in cameras}
        self._allowance: dict[str, tuple[float, float]] = {}  # camera → (left, when)

    def read(self, topic: str, payload: bytes, retained: bool, at: float) -> SwitchCamera | str:
        """The command in a message, or why it is refused."""
        camera = self._topics.get(topic)
        if camera is None:
            return "no such camera"
        if retained:  # would be carried out again at every connect
            return "retained commands are ignored"
        if len(payload) > _SIZE_LIMIT:
            return f"{len(payload)} bytes, more than {_SIZE_LIMIT}"
        if payload not in (b"ON", b"OFF"):
            return "neither ON nor OFF"
        if not self._allow(camera, at):
            return "too many commands"
        return SwitchCamera(camera, payload == b"ON")

    def _allow(self, camera: str, at: float) -> bool:
        left, when = self._allowance.get(camera, (_BURST, at))
        left = min(_BURST, left + max(0.0, at - when) * _PER_SECOND)
        allowed = left >= 1.0
        self._allowance[camera] = (left - 1.0 if allowed else left, at)
        return allowed

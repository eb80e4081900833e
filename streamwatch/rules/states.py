"""The states of cameras as rules hear them: when one changes, and again at each whole second that passes."""

from collections.abc import Iterator
from math import floor, inf, isfinite

from streamwatch.rules.condition import SILENCE

__all__ = ["States"]


class _State:
    """A camera's state, and until when it was told to the rules."""

    __slots__ = ("told", "value")

    def __init__(self, value: str, told: float) -> None:
        self.value = value
        self.told = told


class States:
    """What is known of each camera. Time is an argument: UTC s."""

    __slots__ = ("_known", "_passed")

    def __init__(self) -> None:
        self._known: dict[str, _State] = {}
        self._passed = -inf

    def __iter__(self) -> Iterator[tuple[str, str, float]]:
        """Camera, state, and until when it was told (or nobody wanted to hear it)."""
        return ((camera, state.value, max(state.told, self._passed)) for camera, state in self._known.items())

    def __contains__(self, camera: str) -> bool:
        return camera in self._known

    def change(self, camera: str, value: str, at: float) -> None:
        """From ``at`` on it is ``value``; that was told."""
        self._known[camera] = _State(value, at)
        if self._passed - at > SILENCE:  # the clock was set back: what passes from here is not over yet
            self._passed = at

    def forget(self, camera: str) -> None:
        """It is watched elsewhere. Idempotent."""
        self._known.pop(camera, None)

    def moment(self, camera: str, at: float) -> float:
        """When a change at ``at`` is to be heard: if told late, not before what was told; a clock set back may."""
        before = self._known.get(camera)
        return before.told if before is not None and 0 < before.told - at <= SILENCE else at

    def pass_time(self, until: float) -> None:
        """What was not told up to ``until`` by now, nobody wanted to hear."""
        if self._passed < until < inf or self._passed - until > SILENCE:  # the latter: the clock was set back
            self._passed = until

    def settle(self) -> None:
        """Others want to hear from now on, but nothing of what has passed."""
        for state in self._known.values():
            state.told = max(state.told, self._passed)

    def seconds(self, camera: str, until: float) -> Iterator[tuple[str, float]]:
        """The state of ``camera`` at each whole second up to ``until`` that was not told yet; it is now."""
        state = self._known.get(camera)
        if state is None or not isfinite(until):
            return
        if until - state.told > SILENCE:  # nobody let time pass: what happened meanwhile is not known
            state.told = floor(until) - 1.0
        while (second := floor(state.told) + 1.0) <= until:
            state.told = second
            yield state.value, second

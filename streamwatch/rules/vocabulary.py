"""The names that a rule may use: what the model can score and what the site has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from streamwatch.document import nearest

__all__ = ["Vocabulary", "is_glob"]


def is_glob(pattern: str) -> bool:
    """Whether ``pattern`` may match names other than itself."""
    return any(mark in pattern for mark in "*?[")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """``events`` of the model, names of the ``cameras``, and for each camera the names of its ``zones``."""

    events: frozenset[str]
    cameras: tuple[str, ...]
    zones: Mapping[str, frozenset[str]]

    def matching(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """The cameras that any of the globs matches, in the site's order."""
        patterns = tuple(patterns)
        return tuple(camera for camera in self.cameras if any(fnmatchcase(camera, pattern) for pattern in patterns))

    def fault_of_event(self, event: str) -> str | None:
        """Why ``event`` cannot be used, or None."""
        if event in self.events:
            return None
        known = ", ".join(sorted(self.events)) or "none"
        return f"the model scores no event {event!r}{nearest(event, self.events)} (known: {known})"

    def fault_of_camera(self, pattern: str) -> str | None:
        """Why ``pattern`` cannot be used, or None. A glob may match nothing: shipped rules name cameras of others."""
        if is_glob(pattern) or pattern in self.cameras:
            return None
        return f"no camera is named {pattern!r}{nearest(pattern, self.cameras)}"

    def fault_of_zone(self, zone: str, patterns: Iterable[str]) -> str | None:
        """Why ``zone`` cannot be used on the cameras of ``patterns``, or None.

        Each camera that is named literally must have it; of those matched by globs, at least one.
        """
        patterns = tuple(patterns)
        matched = self.matching(patterns)
        lacking = [camera for camera in patterns if camera in matched and zone not in self.zones.get(camera, ())]
        owners = [camera for camera in matched if zone in self.zones.get(camera, ())]
        if not lacking and (owners or not matched):
            return None
        known = {name for camera in matched for name in self.zones.get(camera, ())}
        where = f"camera {lacking[0]}" if lacking else f"no camera that matches {', '.join(patterns)}"
        return f"{where} has {'no ' if lacking else 'a '}zone {zone!r}{nearest(zone, known)}"

"""Rules across cameras (``on_cameras``, ``group_by: [rule]``): cameras answer at different moments, so what they say
waits until it can be put in order of time.

A row waits until another camera is SKEW seconds ahead of it, or until it is ``lateness`` old by ``tick``. What comes
later than that is not heard by these rules and counted as late; so is what claims to lie AHEAD of the time told by
``tick``, lest a camera with a wrong clock make all others late. Then the rows are evaluated in order of time, camera
and zone: whatever the order in which they came, the alerts are the same.
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from math import floor, inf, isfinite, nextafter

from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.alert import Acknowledged, Alert, Cause, Incident, IncidentState
from streamwatch.rules.condition import SILENCE
from streamwatch.rules.group import Group
from streamwatch.rules.order import Acknowledge
from streamwatch.rules.rule import Rule
from streamwatch.rules.watches import Watches

__all__ = ["AHEAD", "MAX_WAITING", "SKEW", "Site"]

SKEW = 2.0  # seconds by which what one camera says may come later than what another says of the same moment
AHEAD = 10.0  # seconds
STEP = 0.5  # seconds of waiting rows that are worth a look
MAX_WAITING = 20_000  # rows; then the oldest are evaluated early, and nothing is lost
_PROMPT = 3.0  # seconds; only what is no further ahead of the time told moves the time on

Row = Detection | Gap | CameraState
_Waiting = tuple[float, str, str, int, Row]


class Site:
    """Puts rows in order for ``watches``, whose rules are all about several cameras. Not thread-safe."""

    def __init__(self, watches: Watches) -> None:
        self.watches = watches
        self._late = watches.late
        self._groups: dict[tuple[str, Cause], Group] = {}  # by rule
        self._grouped: frozenset[str] = frozenset()
        self._waiting: list[_Waiting] = []
        self._count = 0
        self._done = -inf  # all up to this time was evaluated
        self._second = -inf
        self._newest = -inf
        self._told = inf  # the time as last told by tick
        self._last: dict[str, float] = {}  # camera → its newest
        self._regroup()

    def take(self, row: Row) -> tuple[Alert, ...]:
        """Hear ``row``; what is due by it."""
        alerts: tuple[Alert, ...] = ()
        if isinstance(row, Detection):
            at = row.end
            if self._last.get(row.camera, -inf) - at > SILENCE:
                alerts = self._set_back(at)
            if not self._done < at <= self._told + AHEAD:
                self._late[row.camera] = self._late.get(row.camera, 0) + 1
                return alerts
            self._last[row.camera] = max(at, self._last.get(row.camera, at))
        else:
            at = self._in_time(row.at)
        self._count += 1
        zone = (row.zone or "") if isinstance(row, Detection) else ""
        heappush(self._waiting, (at, row.camera, zone, self._count, row))
        if at <= self._told + _PROMPT:
            self._newest = max(self._newest, at)
        if self._newest - SKEW - self._done >= STEP:
            alerts += self._advance(self._newest - SKEW)
        if len(self._waiting) > MAX_WAITING:
            alerts += self._advance(self._waiting[0][0])
        return alerts

    def tick(self, at: float, due: float) -> tuple[Alert, ...]:
        """It is ``at`` now, and nothing older than ``due`` is waited for."""
        alerts = self._set_back(due) if self._told < inf and self._told - at > SILENCE else ()
        if isfinite(at):
            self._told = at
        return alerts + self._advance(due)

    def replace(self, rules: Iterable[Rule], at: float) -> tuple[Alert, ...]:
        """Put ``rules`` in force, also for what waits."""
        alerts = self._say(self.watches.replace(rules, at))
        self._regroup()
        return alerts

    def close(self, at: float, reason: str) -> tuple[Alert, ...]:
        """Evaluate what waits, then end all that is open."""
        return self._flush() + self._say(self.watches.close(at, reason))

    def acknowledge(self, order: Acknowledge, at: float) -> tuple[Alert, ...]:
        """As ``RuleBook.acknowledge``; a group remembers it itself, whichever of its cameras fire."""
        for group in self._groups.values():
            if group.told() == order.id:
                return (group.acknowledge(Acknowledged(at, order.by, order.note)),)
        return self._say(self.watches.acknowledge(order, at))

    def rouse(self, at: float) -> tuple[Alert, ...]:
        """The snoozes in force are others now."""
        return self._say(self.watches.rouse(at))

    def incidents(self) -> tuple[Incident, ...]:
        """Those open now: of a group the one told of, and those pending on each camera that are not part of it."""
        found = [group.incident() for group in self._groups.values()]
        members = {incident for group in self._groups.values() for incident in group.members()}
        alone = (
            incident
            for incident in self.watches.incidents()
            if incident.rule not in self._grouped
            or (incident.state is IncidentState.PENDING and incident.id not in members)
        )
        return (*alone, *(incident for incident in found if incident))

    def _advance(self, to: float) -> tuple[Alert, ...]:
        if not self._done < to < inf:
            return ()
        alerts: tuple[Alert, ...] = ()
        waiting, watches = self._waiting, self.watches
        while waiting and waiting[0][0] <= to:
            at, _, _, _, row = heappop(waiting)
            if (second := floor(at)) > self._second:  # states are told at whole seconds, before what else is then
                self._second = second
                alerts += watches.tick(second)
            if isinstance(row, Detection):
                alerts += watches.observe(row)
            elif isinstance(row, Gap):
                alerts += watches.gap(row.camera, at)
            else:
                alerts += watches.camera(row.camera, row.state, at)
        self._done = to
        self._second = max(self._second, floor(to))
        return self._say(alerts + watches.tick(to))

    def _flush(self) -> tuple[Alert, ...]:
        return self._advance(max(row[0] for row in self._waiting)) if self._waiting else ()

    def _set_back(self, at: float) -> tuple[Alert, ...]:
        """The clock was set back to ``at``: what waits belongs to the time before."""
        alerts = self._flush()
        self._done = nextafter(at, -inf)
        self._second = -inf
        self._newest = at
        if self._told < inf:
            self._told = at
        self._last.clear()
        return alerts

    def _in_time(self, at: float) -> float:
        """``at``, but neither late nor ahead: a gap and a state count whenever they come."""
        at = min(at, self._told + AHEAD) if isfinite(at) else self._done
        return at if at > self._done else nextafter(self._done, inf)

    def _say(self, alerts: tuple[Alert, ...]) -> tuple[Alert, ...]:
        if not alerts:
            return alerts
        said: list[Alert] = []
        for alert in sorted(alerts, key=self._turn):
            if alert.rule in self._grouped:
                said += self._groups.setdefault((alert.rule, alert.cause), Group()).hear(alert)
            else:
                said.append(alert)
        return tuple(said)

    def _turn(self, alert: Alert) -> tuple[float, str, str]:
        """What to sort by, so that it does not matter which camera was heard first. Neither seq nor the camera of a
        rule that joins cameras: the end of one incident comes before the new of the next at the same time.
        """
        return alert.time, alert.camera if alert.rule in self._grouped else "", alert.rule

    def _regroup(self) -> None:
        self._grouped = frozenset(rule.name for rule in self.watches.rules if rule.scope == "group")
        self._groups = {key: group for key, group in self._groups.items() if key[0] in self._grouped}

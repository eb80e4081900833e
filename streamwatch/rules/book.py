"""All rules over all cameras: detections and time go in, alerts come out. See the package's docstring."""

from collections.abc import Callable, Iterable
from math import floor, inf, isfinite, nextafter
from typing import TypeVar

from streamwatch.document import nearest
from streamwatch.errors import OrderError, StreamwatchError
from streamwatch.models.detection import Detection
from streamwatch.rules.alert import Acknowledged, Alert, Incident
from streamwatch.rules.camera import STATUS, status
from streamwatch.rules.condition import SILENCE
from streamwatch.rules.inhibition import in_order
from streamwatch.rules.line import Line
from streamwatch.rules.order import Acknowledge, Snooze, Snoozed
from streamwatch.rules.rule import Rule
from streamwatch.rules.snooze import Snoozes
from streamwatch.rules.vigil import Vigil
from streamwatch.rules.watch import Watch

__all__ = ["RuleBook"]

# What a faulty operator or detection may raise. Stated, because anything else is a fault of ours and fatal.
_FAULTS = (StreamwatchError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)

_STATUS_ALONE = frozenset((STATUS,))


_Voice = TypeVar("_Voice", Watch, Vigil, Watch | Vigil)


class _State:
    """A camera's state, and until when it was told to the rules."""

    __slots__ = ("told", "value")

    def __init__(self, value: str, told: float) -> None:
        self.value = value
        self.told = told


class RuleBook:
    """``rules`` at work. ``salt`` enters the ids of incidents: one per site, so that two sites never share an id.

    ``lateness`` is how many seconds detections may lag behind the time given to ``tick``. State grows with the number
    of cameras and zones seen, nothing else. Not thread-safe: one thread owns it.
    """

    def __init__(self, rules: Iterable[Rule], salt: str, lateness: float = 5.0) -> None:
        self.rules = tuple(rules)
        self._ordered = in_order(self.rules)
        self.errors: dict[str, int] = {}  # rule → evaluations that raised
        self.last_errors: dict[str, str] = {}
        self.late: dict[str, int] = {}  # camera → detections ignored: older than their zone's newest, or timeless
        self._salt = salt
        self._lateness = lateness
        self._watches: dict[str, tuple[Watch, ...]] = {}
        self._lines: dict[str, dict[str | None, Line]] = {}
        self._states: dict[str, _State] = {}
        self._vigils: dict[str, tuple[Vigil, ...]] = {}
        self._snoozes = Snoozes()

    @property
    def snoozes(self) -> tuple[Snoozed, ...]:
        """Those in force; a new tuple whenever one comes or goes."""
        return self._snoozes.listing

    def observe(self, detection: Detection) -> tuple[Alert, ...]:
        """The alerts that ``detection`` causes. Event time of its camera becomes ``detection.end``."""
        at = detection.end
        alerts: tuple[Alert, ...] = ()
        try:
            line = self._lines[detection.camera][detection.zone]
        except KeyError:
            line = self._open(detection.camera, detection.zone)
            alerts = self._each(line.watches, lambda watch: watch.rewind(at))
        if not at >= line.last:  # also if not a number
            if not line.last - at > SILENCE:
                self.late[detection.camera] = self.late.get(detection.camera, 0) + 1
                return alerts
            alerts += self.gap(detection.camera, at)  # so old that the camera's clock must have been set back
            line = self._open(detection.camera, detection.zone)
            alerts += self._each(line.watches, lambda watch: watch.rewind(at))
        listening = line.listening(detection.scores)
        line.last = at
        if line.vigils:
            alerts += self._each(line.vigils, lambda vigil: vigil.hear(detection))
        for watch in listening:
            if at >= watch.deadline:
                alerts += watch.expire(at)
            try:
                alerts += watch.observe(detection)
            except _FAULTS as error:
                alerts += self._fault(watch, at, error)
        line.settle(detection.scores)
        return alerts

    def tick(self, at: float) -> tuple[Alert, ...]:
        """Let time pass without detections: it is ``at`` (UTC s) now. Call it about once a second."""
        due = at - self._lateness
        told = tuple(alert for camera in self._states for alert in self._tell(camera, due))
        told += self._each(self._all(), lambda each: each.expire(due) if due >= each.deadline else ())
        return told + (self._rouse(due) if self._snoozes.expire(due) else ())

    def camera(self, camera: str, state: str, at: float) -> tuple[Alert, ...]:
        """``camera`` is in ``state`` (of ``camera.STATES``) from ``at`` on, until told otherwise."""
        line = self._open(camera, STATUS)
        expected = self._expect(camera, state, at)
        if not line.watches:
            self._states[camera] = _State(state, at)  # a rule to come may want to hear it
            return expected
        alerts = expected + self._tell(camera, nextafter(at, -inf))
        before = self._states.get(camera)
        if before is not None and 0 < before.told - at <= SILENCE:
            at = before.told  # told late; only a clock set back makes it go back
        self._states[camera] = _State(state, at)
        return alerts + self.observe(status(camera, state, at))

    def gap(self, camera: str, at: float) -> tuple[Alert, ...]:
        """The stream of ``camera`` broke at ``at``: nothing is carried across.

        Pending incidents lapse; firing ones are interrupted and end after keep_firing_for, unless the condition
        holds again. The detections that follow may bear any time. The camera's state stays known.
        """
        lines = self._lines.pop(camera, {})
        for line in lines.values():
            line.wake()
        if STATUS in lines:
            self._lines[camera] = {STATUS: lines[STATUS]}
        broken = (watch for watch in self._watches.get(camera, ()) if watch.rule.when.zones != _STATUS_ALONE)
        return self._each(broken, lambda watch: watch.lose(at, "gap"))

    def replace(self, rules: Iterable[Rule], at: float) -> tuple[Alert, ...]:
        """Put ``rules`` in force at ``at`` (UTC s). Raises RuleError, before anything changes, for circular inhibition.

        A rule whose name and hash are as before goes on as if nothing had happened. One that is changed or removed
        ends what it has open, with that word as ``end_reason``; one that is changed or new begins with nothing.
        """
        given = tuple(rules)
        self._ordered = in_order(given)
        self.rules = given
        hashes = {rule.name: rule.rule_hash for rule in given}
        for line in self._every_line():
            line.wake()

        def retire(watch: Watch | Vigil) -> tuple[Alert, ...]:
            now = hashes.get(watch.rule.name)
            return () if now == watch.rule.rule_hash else watch.close(at, "removed" if now is None else "changed")

        alerts = self._each(self._all(), retire)
        self._watches = {camera: self._watch(camera, watches) for camera, watches in self._watches.items()}
        self._vigils = {camera: self._vigil(camera, vigils) for camera, vigils in self._vigils.items()}
        for camera, state in self._states.items():
            alerts += self._expect(camera, state.value, at)
        for camera, lines in self._lines.items():
            self._lines[camera] = {zone: self._line(camera, zone, line.last) for zone, line in lines.items()}
        return alerts + self._rouse(at)

    def close(self, at: float, reason: str) -> tuple[Alert, ...]:
        """End all that is open: the rules are about to stop."""
        return self._each(self._all(), lambda watch: watch.close(at, reason))

    def incidents(self) -> tuple[Incident, ...]:
        """Those open now, pending and firing, by camera and rule as first seen."""
        return tuple(incident for each in self._all() if (incident := each.incident()))

    def acknowledge(self, order: Acknowledge, at: float) -> tuple[Alert, ...]:
        """Somebody took note of a firing incident at ``at`` (UTC s): no more is said of it but its end.

        Raises OrderError if there is no such incident, or somebody has already.
        """
        for each in self._all():
            if each.told() == order.id:
                return each.acknowledge(Acknowledged(at, order.by, order.note))
        raise OrderError("no open incident has this id")

    def snooze(self, order: Snooze, at: float) -> tuple[Alert, ...]:
        """Withhold alerts, or no longer, from ``at`` (UTC s) on. Raises OrderError; nothing changes then."""
        names = {rule.name for rule in self.rules} | {held.rule for held in self.snoozes}
        if order.rule is not None and order.rule not in names:
            raise OrderError(f"no rule is named {order.rule!r}{nearest(order.rule, [n for n in names if n])}")
        self._snoozes.order(order, at)
        return self._rouse(at)

    def _rouse(self, at: float) -> tuple[Alert, ...]:
        """Let all know until when they are snoozed."""
        until = self._snoozes.until
        return self._each(self._all(), lambda each: each.snooze(until(each.rule.name, each.camera), at))

    def _expect(self, camera: str, state: str, at: float) -> tuple[Alert, ...]:
        """``camera`` is in ``state``: are detections to come?"""
        vigils = self._vigils[camera]
        if state == "disabled":
            return self._each(vigils, lambda vigil: vigil.rest(at, "disabled"))
        for vigil in vigils:
            vigil.expect(at)
        return ()

    def _tell(self, camera: str, until: float) -> tuple[Alert, ...]:
        """Repeat the state of ``camera`` at each whole second up to ``until``."""
        state = self._states.get(camera)
        if state is None or not isfinite(until):
            return ()
        if not self._open(camera, STATUS).watches:
            state.told = max(state.told, until)
            return ()
        if until - state.told > SILENCE:  # nobody let time pass: what happened meanwhile is not known
            state.told = floor(until) - 1.0
        alerts: tuple[Alert, ...] = ()
        while (second := floor(state.told) + 1.0) <= until:
            state.told = second
            alerts += self.observe(status(camera, state.value, second))
        return alerts

    def _all(self) -> Iterable[Watch | Vigil]:
        for camera, watches in self._watches.items():
            yield from watches
            yield from self._vigils[camera]

    def _each(self, those: Iterable[_Voice], act: Callable[[_Voice], tuple[Alert, ...]]) -> tuple[Alert, ...]:
        alerts = [alert for one in those for alert in act(one)]
        return tuple(sorted(alerts, key=lambda alert: (alert.time, alert.camera, alert.rule)))

    def _open(self, camera: str, zone: str | None) -> Line:
        if camera not in self._watches:
            self._watches[camera] = self._watch(camera, ())
            self._vigils[camera] = self._vigil(camera, ())
            if self.snoozes:
                self._rouse(-inf)
        lines = self._lines.setdefault(camera, {})
        if zone not in lines:
            lines[zone] = self._line(camera, zone, -inf)
        return lines[zone]

    def _line(self, camera: str, zone: str | None, last: float) -> Line:
        watches = tuple(watch for watch in self._watches[camera] if zone in watch.rule.when.zones)
        line = Line(watches, tuple(vigil for vigil in self._vigils[camera] if zone in vigil.zones))
        line.last = last
        return line

    def _every_line(self) -> Iterable[Line]:
        return (line for lines in self._lines.values() for line in lines.values())

    def _watch(self, camera: str, before: Iterable[Watch]) -> tuple[Watch, ...]:
        """A watch on ``camera`` for each rule; of those from ``before`` that whose rule is unchanged."""
        former = {watch.rule.name: watch for watch in before}
        named: dict[str, Watch] = {}
        for rule in self._ordered:
            if rule.watches(camera):
                inhibitors = tuple(named[name] for name in rule.inhibited_by if name in named)
                earlier = former.get(rule.name)
                if earlier is not None and earlier.rule.rule_hash == rule.rule_hash:
                    earlier.inhibited_by(inhibitors)
                    named[rule.name] = earlier
                else:
                    watch = named[rule.name] = Watch(rule, camera, self._salt, inhibitors)
                    if earlier is not None:
                        watch.follow(earlier)
        return tuple(named.values())

    def _vigil(self, camera: str, before: Iterable[Vigil]) -> tuple[Vigil, ...]:
        """Likewise of the rules that must not lose sight of ``camera``."""
        former = {(vigil.rule.name, vigil.rule.rule_hash): vigil for vigil in before}
        wanted = (rule for rule in self._ordered if rule.no_data == "alert" and rule.watches(camera))
        return tuple(former.get((r.name, r.rule_hash)) or Vigil(r, camera, self._salt) for r in wanted)

    def _fault(self, watch: Watch, at: float, error: BaseException) -> tuple[Alert, ...]:
        name = watch.rule.name
        self.errors[name] = self.errors.get(name, 0) + 1
        self.last_errors[name] = f"camera {watch.camera}: {type(error).__name__}: {error}"
        return watch.lose(at, "error")

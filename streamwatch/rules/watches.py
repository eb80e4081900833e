"""The rules on each of the cameras they watch: what is heard goes to whom it concerns."""

from collections.abc import Callable, Iterable, Sequence
from math import inf, nextafter
from typing import TypeVar

from streamwatch.errors import OrderError, StreamwatchError
from streamwatch.models.detection import Detection
from streamwatch.rules.alert import Acknowledged, Alert, Incident
from streamwatch.rules.camera import STATUS, status
from streamwatch.rules.condition import SILENCE
from streamwatch.rules.crew import Crew
from streamwatch.rules.inhibition import evaluated
from streamwatch.rules.line import Line, calm_of, pass_over
from streamwatch.rules.lull import Calm, Lull
from streamwatch.rules.memory import Learnt
from streamwatch.rules.order import Acknowledge, Snooze, Snoozed
from streamwatch.rules.rule import Rule
from streamwatch.rules.snooze import Snoozes
from streamwatch.rules.states import States
from streamwatch.rules.vigil import Vigil
from streamwatch.rules.watch import Watch

__all__ = ["Watches"]

# What a faulty operator or detection may raise. Stated, because anything else is a fault of ours and fatal.
_FAULTS = (StreamwatchError, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)

_STATUS_ALONE = frozenset((STATUS,))

_Voice = TypeVar("_Voice", Watch, Vigil, Watch | Vigil)


class Watches:
    """Of ``rules`` those about one camera at a time or, ``across``, about several, which must be told everything
    in order of time; or none (``idle``: others evaluate them). Its methods are those of ``RuleBook``.
    """

    def __init__(
        self, rules: Iterable[Rule], salt: str, lateness: float, across: bool = False, idle: bool = False
    ) -> None:
        self.rules = tuple(rules)
        self._across, self._idle = across, idle
        ordered, self._mute = evaluated(() if idle else self.rules, across)
        self._crew = Crew(self.rules, ordered, salt)
        self.errors: dict[str, int] = {}  # rule → evaluations that raised
        self.last_errors: dict[str, str] = {}
        self.late: dict[str, int] = {}  # camera → detections ignored: older than their zone's newest, or timeless
        self._lateness = lateness
        self._watches: dict[str, tuple[Watch, ...]] = {}
        self._lines: dict[str, dict[str | None, Line]] = {}
        self._states = States()
        self._hearing: tuple[str, ...] = ()  # cameras whose state some rule wants to hear
        self._vigils: dict[str, tuple[Vigil, ...]] = {}
        self._everyone: Sequence[Watch | Vigil] | None = None  # all of these; None: others than before
        self._soonest = -inf  # no deadline of theirs is before this
        self._snoozes = Snoozes()

    @property
    def snoozes(self) -> tuple[Snoozed, ...]:
        """Those in force; a new tuple whenever one comes or goes."""
        return self._snoozes.listing

    def observe(self, detection: Detection) -> tuple[Alert, ...]:
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
        listening = line.listening(detection)
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
            self._soonest = min(self._soonest, watch.deadline)
        if listening:
            line.settle()
        return self._loud(alerts) if alerts and self._mute else alerts

    def tick(self, at: float) -> tuple[Alert, ...]:
        due = at - self._lateness
        told = tuple(alert for camera in self._hearing for alert in self._tell(camera, due))
        self._states.pass_time(due)
        if due >= self._soonest:
            told += self._each([each for each in self._all() if due >= each.deadline], lambda each: each.expire(due))
            self._soonest = min((each.deadline for each in self._all()), default=inf)
        return told + (self.rouse(due) if not self._across and self._snoozes.expire(due) else ())

    def camera(self, camera: str, state: str, at: float) -> tuple[Alert, ...]:
        line = self._open(camera, STATUS)
        expected = self._expect(camera, state, at)
        if not line.watches:
            self._states.change(camera, state, at)  # a rule to come may want to hear it
            return expected
        alerts = expected + self._tell(camera, nextafter(at, -inf))
        at = self._states.moment(camera, at)
        self._states.change(camera, state, at)
        self._listen()
        self._open(camera, STATUS).wake()
        return alerts + self.observe(status(camera, state, at))

    def gap(self, camera: str, at: float) -> tuple[Alert, ...]:
        lines = self._lines.pop(camera, {})
        for line in lines.values():
            line.wake()
        if STATUS in lines:
            self._lines[camera] = {STATUS: lines[STATUS]}
        broken = (watch for watch in self._watches.get(camera, ()) if watch.rule.when.zones != _STATUS_ALONE)
        return self._each(broken, lambda watch: watch.lose_camera(camera, at))

    def release(self, camera: str, at: float) -> tuple[Alert, ...]:
        for line in self._lines.pop(camera, {}).values():
            line.wake()
        own: list[Watch | Vigil] = [watch for watch in self._watches.pop(camera, ()) if watch.camera]
        own += self._vigils.pop(camera, ())
        self._states.forget(camera)
        self._everyone = None
        self._listen()
        return self._each(own, lambda each: each.close(at, "moved"))

    def replace(self, rules: Iterable[Rule], at: float) -> tuple[Alert, ...]:
        given = tuple(rules)
        ordered, mute = evaluated(() if self._idle else given, self._across)
        hashes = {rule.name: rule.rule_hash for rule in given}
        for line in (line for lines in self._lines.values() for line in lines.values()):
            line.wake()

        def retire(watch: Watch | Vigil) -> tuple[Alert, ...]:
            now = hashes.get(watch.rule.name)
            return () if now == watch.rule.rule_hash else watch.close(at, "removed" if now is None else "changed")

        alerts = self._each(self._all(), retire)  # loud or mute as they were
        self.rules, self._mute = given, mute
        self._crew.replace(given, ordered)
        self._watches = {camera: self._crew.watches(camera, watches) for camera, watches in self._watches.items()}
        self._vigils = {camera: self._crew.vigils(camera, vigils) for camera, vigils in self._vigils.items()}
        self._everyone = None
        self._states.settle()
        for camera, state, _ in self._states:
            alerts += self._expect(camera, state, at)
        for camera, lines in self._lines.items():
            self._lines[camera] = {zone: self._line(camera, zone, line.last) for zone, line in lines.items()}
        self._listen()
        return alerts + self.rouse(at)

    def calm(self, camera: str) -> Calm:
        return calm_of({zone: line for zone, line in self._lines.get(camera, {}).items() if zone != STATUS})

    def pass_over(self, lull: Lull) -> None:
        pass_over(self._lines[lull.camera], lull)
        self._soonest = -inf

    def close(self, at: float, reason: str) -> tuple[Alert, ...]:
        return self._each(self._all(), lambda watch: watch.close(at, reason))

    def remember(self, known: Iterable[Learnt]) -> None:
        self._crew.remember(known)

    def learnt(self) -> Iterable[Learnt]:
        return self._crew.memory.of(watch for watches in self._watches.values() for watch in watches)

    def incidents(self) -> tuple[Incident, ...]:
        loud = (each for each in self._all() if each.rule.name not in self._mute)
        return tuple(incident for each in loud if (incident := each.incident()))

    def acknowledge(self, order: Acknowledge, at: float) -> tuple[Alert, ...]:
        for each in self._all():
            if each.told() == order.id and each.rule.scope != "group":  # the group's has been looked for
                return each.acknowledge(Acknowledged(at, order.by, order.note))
        raise OrderError("no open incident has this id")

    def snooze(self, order: Snooze, at: float) -> tuple[Alert, ...]:
        self._snoozes.check(order, self.rules)
        self._snoozes.order(order, at)
        return self.rouse(at)

    def follow(self, other: "Watches") -> None:
        """Know what ``other`` does of the cameras' states and of reloads; its snoozes are those of both from now on.

        States are heard with the time that passes next.
        """
        self._snoozes = other._snoozes
        self._crew.follow(other._crew)
        for camera, state, told in other._states:
            self._open(camera, STATUS)
            self._states.change(camera, state, told)
            self._expect(camera, state, told)
        self._listen()

    def rouse(self, at: float) -> tuple[Alert, ...]:
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
        self._soonest = -inf
        return ()

    def _tell(self, camera: str, until: float) -> tuple[Alert, ...]:
        """Repeat the state of ``camera`` at each whole second up to ``until``."""
        alerts: tuple[Alert, ...] = ()
        for state, second in self._states.seconds(camera, until):
            if not self._open(camera, STATUS).rests(second):
                alerts += self.observe(status(camera, state, second))
        return alerts

    def _listen(self) -> None:
        """See which cameras have to be told of as time passes."""
        known = ((camera, self._lines.get(camera, {}).get(STATUS)) for camera, _, _ in self._states)
        self._hearing = tuple(camera for camera, line in known if line is not None and line.watches)

    def _all(self) -> Sequence[Watch | Vigil]:
        if self._everyone is None:  # kept, since each tick asks: thousands, of which hardly any is due
            found: list[Watch | Vigil] = [*self._crew.shared.values()]
            for camera, watches in self._watches.items():
                found += [watch for watch in watches if watch.camera]
                found += self._vigils[camera]
            self._everyone = found
        return self._everyone

    def _each(self, those: Iterable[_Voice], act: Callable[[_Voice], tuple[Alert, ...]]) -> tuple[Alert, ...]:
        self._soonest = -inf
        alerts = self._loud(alert for one in those for alert in act(one))
        return tuple(sorted(alerts, key=lambda alert: (alert.time, alert.camera, alert.rule)))

    def _open(self, camera: str, zone: str | None) -> Line:
        if camera not in self._watches:
            self._watches[camera] = self._crew.watches(camera)
            self._vigils[camera] = self._crew.vigils(camera)
            self._everyone = None
            if self.snoozes:
                self.rouse(-inf)
        lines = self._lines.setdefault(camera, {})
        if zone not in lines:
            lines[zone] = self._line(camera, zone, -inf)
        return lines[zone]

    def _line(self, camera: str, zone: str | None, last: float) -> Line:
        watches = tuple(watch for watch in self._watches[camera] if zone in watch.rule.when.zones)
        line = Line(watches, tuple(vigil for vigil in self._vigils[camera] if zone in vigil.zones))
        line.last = last
        return line

    def _loud(self, alerts: Iterable[Alert]) -> tuple[Alert, ...]:
        """``alerts`` without those of rules that are evaluated here for what they inhibit alone."""
        return tuple(alert for alert in alerts if alert.rule not in self._mute)

    def _fault(self, watch: Watch, at: float, error: BaseException) -> tuple[Alert, ...]:
        name = watch.rule.name
        self.errors[name] = self.errors.get(name, 0) + 1
        self.last_errors[name] = f"camera {watch.camera}: {type(error).__name__}: {error}"
        return watch.lose(at, "error")

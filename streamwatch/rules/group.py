"""``group_by: [rule]``: one incident for all cameras on which a rule fires.

The rule is evaluated on each camera by itself, ``for`` and all else included. The first camera to fire opens the
group's incident, further ones join it, each with an ``update``, and it ends when it has ended on the last. ``camera``
stays that of the first; the label ``cameras`` names all that have joined, in that order. The severity is the gravest,
the peak the highest of all; ``summary``, scores and ``why`` are those of the camera that the message is about. Once it
is acknowledged only a camera that joins is told of, and the end. What a snooze withholds on a camera does not count.
"""

from collections.abc import Collection
from dataclasses import replace

from streamwatch.errors import OrderError
from streamwatch.rules.alert import Acknowledged, Alert, AlertType, Incident, IncidentState
from streamwatch.rules.severity import gravest
from streamwatch.rules.watch import HEARTBEAT, PEAK_PAUSE, PEAK_STEP

__all__ = ["Group"]


class Group:
    """The open incident of one rule over all cameras, from the alerts of its incidents on each, in order of time."""

    __slots__ = (
        "_acknowledged", "_cameras", "_first", "_last", "_open", "_opened", "_peak", "_sent", "_seq", "_severity",
    )  # fmt: skip

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._open: dict[str, str] = {}  # camera → id of its incident
        self._first: Alert | None = None
        self._opened: float | None = None  # when the first of them began to fire
        self._cameras: tuple[str, ...] = ()
        self._severity = ""
        self._peak = 0.0
        self._sent: Alert | None = None
        self._last = 0.0  # when one of them last held, as far as was told
        self._seq = 0
        self._acknowledged: Acknowledged | None = None

    def hear(self, alert: Alert) -> tuple[Alert, ...]:
        """What the group says to the alert of one camera."""
        if alert.snoozed or (alert.type is AlertType.END and self._open.get(alert.camera) != alert.id):
            return ()
        joined = alert.camera not in self._cameras
        if joined:
            self._cameras += (alert.camera,)
        self._severity = gravest(self._severity or alert.severity, alert.severity)
        self._peak = max(self._peak, alert.peak_score)
        if alert.type is AlertType.END:
            return self._leave(alert)
        self._last = max(self._last, alert.time)
        self._open[alert.camera] = alert.id
        if self._opened is None and alert.state is not IncidentState.PENDING:
            self._opened = alert.time
        if self._first is None:
            self._first = alert
            return (self._say(alert, AlertType.NEW),)
        return (self._say(alert, AlertType.UPDATE),) if joined or self._worth_saying(alert) else ()

    def told(self) -> str | None:
        """The id of the open incident."""
        return None if self._first is None else self._first.id

    def members(self) -> Collection[str]:
        """The ids of the cameras' incidents that are open in it."""
        return self._open.values()

    def acknowledge(self, by: Acknowledged) -> Alert:
        """Take note of the open incident. Raises OrderError if it does not fire, or somebody has."""
        if self._sent is None or self._opened is None:
            raise OrderError("is pending: it can be acknowledged once it fires")
        if self._acknowledged is not None:
            raise OrderError("is already acknowledged")
        self._acknowledged = by
        return self._say(replace(self._sent, time=by.time, why=None), AlertType.UPDATE)

    def incident(self) -> Incident | None:
        """The open incident."""
        first = self._first
        if first is None:
            return None
        return Incident(
            id=first.id,
            rule=first.rule,
            camera=first.camera,
            state=self._state(),
            since=first.start_time,
            opened=self._opened,
            last_matched=self._last,
            peak_score=self._peak,
        )

    def _state(self) -> IncidentState:
        if self._opened is None:
            return IncidentState.PENDING if self._open else IncidentState.WITHDRAWN
        if not self._open:
            return IncidentState.CLOSED
        return IncidentState.FIRING if self._acknowledged is None else IncidentState.ACKNOWLEDGED

    def _leave(self, alert: Alert) -> tuple[Alert, ...]:
        self._open.pop(alert.camera, None)
        self._last = max(self._last, alert.end_time or alert.time)
        if self._open:
            return ()
        ended = self._say(alert, AlertType.END)
        self._forget()
        return (ended,)

    def _worth_saying(self, alert: Alert) -> bool:
        sent = self._sent
        if sent is None or self._state() is not sent.state:
            return True
        if self._acknowledged is not None:
            return False
        quiet = alert.time - sent.time
        higher = quiet >= PEAK_PAUSE and self._peak >= sent.peak_score + PEAK_STEP
        return self._severity != sent.severity or higher or quiet >= HEARTBEAT

    def _say(self, alert: Alert, kind: AlertType) -> Alert:
        first = self._first or alert
        self._sent = replace(
            alert,
            id=first.id,
            seq=self._seq,
            type=kind,
            state=self._state(),
            camera=first.camera,
            time=max(alert.time, self._sent.time) if self._sent else alert.time,  # an acknowledgement may be ahead
            severity=self._severity,
            peak_score=self._peak,
            start_time=first.start_time,
            end_time=self._last if kind is AlertType.END else None,
            labels={**alert.labels, "severity": self._severity, "cameras": ",".join(self._cameras)},
            acknowledged=self._acknowledged,
        )
        self._seq += 1
        return self._sent

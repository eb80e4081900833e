"""The life of one connection: a few messages at a time, off the outbox when acknowledged."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from streamwatch.rules.alert import Alert
from streamwatch.sinks.connection import HUNG_UP, Acknowledged, Connection, Lost, Message
from streamwatch.sinks.formats import Body
from streamwatch.sinks.notices import Notices
from streamwatch.sinks.outbox import Entry
from streamwatch.sinks.pictures import Pictures
from streamwatch.sinks.replay import Replay, write_answer
from streamwatch.sinks.sink import Site
from streamwatch.sinks.states import OpenIncidents, RetainedStates, Topics

__all__ = ["Book", "Relay"]

log = logging.getLogger(__name__)

_ACK_LIMIT = 15.0  # s; a broker that is silent for longer is gone, whatever the socket says
_REFUSED_DELAY = 5.0  # s until a refused message is tried again
_GONE_LIMIT = 2.0  # s for the reason of a lost connection to arrive
_TURN = 0.05  # s
_AGAIN = 5  # of the messages in flight may be replayed ones, and are left to them while there are any


@dataclass(frozen=True, slots=True)
class Book:
    """What outlives a connection: topics, states, open incidents, how an alert is written, what is said again or once,
    pictures.

    ``confirmed`` hears of each topic whose retained payload the broker has taken.
    """

    topics: Topics
    states: RetainedStates
    incidents: OpenIncidents
    write: Callable[[Alert, str, int], Body]
    replay: Replay
    confirmed: Callable[[str], None] = lambda topic: None
    notices: Notices = field(default_factory=Notices)
    pictures: Pictures = field(default_factory=Pictures)


@dataclass(frozen=True, slots=True)
class _Sent:
    entry: Entry | None
    topic: str
    at: float
    again: bool
    notice: str | None  # its payload


class Relay:
    """Moves states and alerts over ``connection`` until it is lost. Owned by one thread.

    Only what the broker has acknowledged leaves the outbox. What it refuses is counted as failed; ``complaint`` says
    why. An alert is tried again and holds up those behind it, a state is tried again, a
    replayed alert or a notice is not.
    """

    def __init__(self, connection: Connection, site: Site, book: Book) -> None:
        self.lost: Lost | None = None
        self.complaint: str | None = None
        self._connection = connection
        self._site = site
        self._book = book
        self._sent: dict[int, _Sent] = {}
        self._waiting: list[Entry] = []
        self._cursor = 0
        self._arrived: list[int] = []  # acknowledged by the broker, not yet taken off the outbox
        self._again = 0  # of those sent
        self._resume = 0.0  # monotonic s before which nothing is handed over
        self._refused: list[str] = []  # topics of states, said again at
        self._repeat = 0.0  # monotonic s
        self._gone: float | None = None  # when a publish first found no connection (monotonic s)
        self._progress = time.monotonic()

    def turn(self) -> list[Message]:
        """Hand over what there is, take in what happened; waits up to 0.05 s. What arrived is the caller's."""
        self._hand_over()
        book = self._book
        if self._sent or self._waiting or len(book.states) or len(book.notices) or self._gone or book.replay.active:
            events = self._connection.events(_TURN)
        else:  # nothing is owed to us: wait where the next alert appears
            self._waiting = self._site.outbox.pending(self._cursor, self._connection.window, _TURN)
            events = self._connection.events(0.0)
        messages = []
        for event in events:
            if isinstance(event, Acknowledged):
                self._acknowledged(event)
            elif isinstance(event, Lost):
                self._give_up(event)
            elif isinstance(event, Message):
                messages.append(event)
        self._take_off()
        self._watch()
        return messages

    def replay(self, after: int) -> None:
        """Say what is held above ``after`` and publish it again, beside the new ones. Raises SinkError."""
        book = self._book
        answer = write_answer(self._site.instance, after, book.replay.held(after))
        book.notices.put(book.topics.replayed, answer)
        self._book.replay.ask(after, self._cursor)

    def drain(self, limit: float, patience: float) -> None:
        """Keep going until nothing new waits, for up to ``limit`` s, or ``patience`` s without an answer."""
        self._book.replay.cancel()
        deadline = time.monotonic() + limit
        self._progress = time.monotonic()
        while self.lost is None and time.monotonic() < min(deadline, self._progress + patience):
            owed = len(self._sent) + len(self._book.states) + len(self._book.notices)
            if not owed and not self._site.outbox.pending(0, 1, 0.0):
                return
            self.turn()

    def say(self, topic: str, payload: str, limit: float) -> bool:
        """Publish one retained message now and wait for its acknowledgement."""
        mid = self._publish(topic, Body(payload), None)
        deadline = time.monotonic() + limit
        while mid in self._sent and self.lost is None and time.monotonic() < deadline:
            for event in self._connection.events(_TURN):
                if isinstance(event, Acknowledged):
                    self._acknowledged(event)
        self._take_off()
        return mid is not None and mid not in self._sent

    def abandon(self) -> None:
        """Count what was in flight as failed; all of it will be said again."""
        self._book.pictures.lost()
        self._book.notices.put_back([(s.topic, s.notice) for s in self._sent.values() if s.notice is not None])
        for sent in self._sent.values():
            self._site.metrics.mqtt_published.labels("failed").inc()
            if sent.notice is not None:
                continue
            if sent.entry is None:
                self._book.states.say_again([sent.topic])
            elif sent.again:
                self._book.replay.rewind(sent.entry.sequence)
        self._sent.clear()
        self._again = 0

    def _hand_over(self) -> None:
        now = time.monotonic()
        if now < self._resume or self._gone or self.lost:
            return
        if self._refused and now >= self._repeat:
            self._book.states.say_again(self._refused)
            self._refused = []
        window = self._connection.window
        room = window - (min(_AGAIN, window // 2) if self._book.replay.active else 0)
        while len(self._sent) - self._again < room:
            state = self._book.states.take()
            if state is not None:
                if self._publish(state[0], Body(state[1]), None) is None:
                    self._book.states.say_again([state[0]])
                    return
                continue
            notice = self._book.notices.take()
            if notice is not None:
                if self._publish(notice[0], Body(notice[1]), None, notice=True) is None:
                    self._book.notices.put_back([notice])
                    return
                continue
            entry = self._next()
            if entry is None:
                break
            if not self._hand_over_alert(entry):
                return
        self._hand_over_again()
        if not self._waiting and len(self._sent) < self._connection.window:
            self._hand_over_picture()

    def _hand_over_picture(self) -> None:
        picture = self._book.pictures.take()
        if picture is not None and self._publish(picture[0], Body(picture[1], "image/jpeg"), None) is None:
            self._book.pictures.put_back()

    def _hand_over_again(self) -> None:
        """A few of those that somebody missed: neither states nor the outbox have to do with them."""
        while (
            self._again < _AGAIN
            and len(self._sent) < self._connection.window
            and (entry := self._book.replay.peek()) is not None
        ):
            try:
                body = self._write(entry)
            except ValueError:  # said when it was new
                body = None
            topic = self._book.topics.alert(entry.alert.camera, entry.alert.rule)
            if body is not None and self._publish(topic, body, entry, again=True) is None:
                return
            self._book.replay.take()

    def _next(self) -> Entry | None:
        if not self._waiting:
            self._waiting = self._site.outbox.pending(self._cursor, self._connection.window, 0.0)
        return self._waiting[0] if self._waiting else None

    def _hand_over_alert(self, entry: Entry) -> bool:
        alert, topics = entry.alert, self._book.topics
        try:
            body = self._write(entry)
        except ValueError as error:  # NaN, half a surrogate pair: it will never get better
            log.error("alert %d of rule %s cannot be written and is passed over: %s", entry.sequence, alert.rule, error)
            self._site.metrics.mqtt_published.labels("failed").inc()
            self._site.outbox.acknowledge(entry.sequence)
            self._waiting.pop(0)
            return True
        if self._publish(topics.alert(alert.camera, alert.rule), body, entry) is None:
            return False
        self._waiting.pop(0)
        self._cursor = entry.sequence
        self._book.replay.began(entry.sequence)
        if not entry.earlier:  # an earlier run's incidents are not ours to open
            is_open = self._book.incidents.observe(alert)
            self._book.states.set(topics.alert_state(alert.camera, alert.rule), "ON" if is_open else "OFF")
        return True

    def _write(self, entry: Entry) -> Body:
        """Raises ValueError if the alert holds what JSON or UTF-8 cannot."""
        return self._book.write(entry.alert, self._site.instance, entry.sequence)

    def _publish(
        self, topic: str, body: Body, entry: Entry | None, *, again: bool = False, notice: bool = False
    ) -> int | None:
        at = time.monotonic()
        mid = self._connection.publish(topic, body, retain=entry is None and not notice)
        if mid is None:  # the event that says why is on its way
            self._gone = self._gone or at
        else:
            self._sent[mid] = _Sent(entry, topic, at, again, str(body.payload) if notice else None)
            self._again += again
        return mid

    def _acknowledged(self, event: Acknowledged) -> None:
        sent = self._sent.pop(event.mid, None)
        if sent is None:
            return
        self._progress = event.at
        self._again -= sent.again
        if sent.entry is None:
            self._book.pictures.answered(sent.topic)
        metrics = self._site.metrics
        metrics.stage_seconds.labels("publish").observe(max(0.0, event.at - sent.at))
        metrics.mqtt_published.labels("failed" if event.refused else "acked").inc()
        if event.refused:
            self.complaint = f"{sent.topic}: {event.refused}"
            if not sent.again and sent.notice is None:
                self._hold_back(sent)
        elif sent.entry is None:
            self._book.confirmed(sent.topic)  # no notice's topic means anything to it
        elif not sent.again:
            self._arrived.append(sent.entry.sequence)
            if not sent.entry.earlier:
                latency = self._site.now() - (time.monotonic() - event.at) - sent.entry.alert.time
                metrics.alert_latency.labels(sent.entry.alert.rule).observe(max(0.0, latency))

    def _take_off(self) -> None:
        """One transaction for all that arrived: each costs a turn of the disk. Raises SinkError."""
        arrived, self._arrived = self._arrived, []
        if arrived:
            self._site.outbox.acknowledge(*arrived)

    def _hold_back(self, sent: _Sent) -> None:
        again = time.monotonic() + _REFUSED_DELAY
        if sent.entry is None:
            self._refused.append(sent.topic)
            self._repeat = again
        else:  # read again from the oldest; what is in flight meanwhile may arrive twice
            self._resume = again
            self._cursor = 0
            self._waiting = []

    def _watch(self) -> None:
        oldest = next(iter(self._sent.values()), None)
        if oldest is not None and time.monotonic() - max(oldest.at, self._progress) > _ACK_LIMIT:
            self._give_up(Lost(f"no acknowledgement for {_ACK_LIMIT:.0f} s", None))
        elif self._gone is not None and time.monotonic() - self._gone > _GONE_LIMIT:
            self._give_up(Lost(HUNG_UP, None))

    def _give_up(self, lost: Lost) -> None:
        self.lost = self.lost or lost

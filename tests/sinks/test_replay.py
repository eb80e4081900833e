import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamwatch.rules.alert import AlertType
from streamwatch.sinks.bounds import Bounds
from streamwatch.sinks.mqtt import LinkState, MqttSink
from streamwatch.sinks.outbox import Entry, MemoryOutbox
from streamwatch.sinks.replay import Replay
from streamwatch.sinks.store import SqliteOutbox
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, Listener, Mosquitto, make_alert, make_site, value, wait_for

Start = Callable[[MqttSink], Worker]
STATE = "streamwatch/dock/alert/fall/state"


def filled(count: int) -> MemoryOutbox:
    outbox = MemoryOutbox()
    for number in range(1, count + 1):
        outbox.append(make_alert(number))
    return outbox


def rest(replay: Replay) -> list[int]:
    found = []
    while (entry := replay.peek()) is not None:
        found.append(entry.sequence)
        replay.take()
    return found


class TestReplay:
    def test_is_idle_until_asked_and_when_done(self) -> None:
        replay = Replay(filled(3))
        assert replay.peek() is None
        replay.ask(1, newest=3)
        assert replay.active
        assert rest(replay) == [2, 3]
        assert not replay.active

    def test_reads_on_beyond_a_chunk(self) -> None:
        replay = Replay(filled(200))
        replay.ask(10, newest=200)
        assert rest(replay) == list(range(11, 201))

    def test_ends_where_the_new_ones_begin(self) -> None:
        outbox = filled(5)
        replay = Replay(outbox)
        replay.ask(0, newest=3)
        replay.began(4)  # was known already
        assert rest(replay) == [1, 2, 3]
        replay.ask(0, newest=0)
        replay.began(5)
        replay.began(6)
        assert rest(replay) == [1, 2, 3, 4]

    def test_asked_again_while_it_goes_it_misses_nobody(self) -> None:
        replay = Replay(filled(9))
        replay.ask(4, newest=9)
        assert replay.peek() is not None
        replay.take()
        replay.ask(7, newest=9)
        assert rest(replay) == [6, 7, 8, 9]
        replay.ask(6, newest=9)
        replay.ask(2, newest=9)
        assert rest(replay) == [3, 4, 5, 6, 7, 8, 9]

    def test_goes_back_for_what_did_not_arrive(self) -> None:
        replay = Replay(filled(5))
        replay.ask(1, newest=5)
        assert rest(replay) == [2, 3, 4, 5]
        for sequence in (4, 5):
            replay.rewind(sequence)
        assert rest(replay) == [4, 5]

    def test_what_nobody_waits_for_is_cancelled(self) -> None:
        replay = Replay(filled(5))
        replay.ask(0, newest=5)
        replay.cancel()
        assert rest(replay) == []


class Slow(SqliteOutbox):
    """Reads five at a time, and takes its time: 301 alerts keep it busy for more than a second."""

    def alerts_after(self, sequence: int, limit: int) -> list[Entry]:
        time.sleep(0.02)
        return super().alerts_after(sequence, 5)


class TestOverMqtt:
    @pytest.fixture
    def outbox(self, tmp_path: Path) -> Iterator[SqliteOutbox]:
        outbox = Slow(tmp_path / "alerts.sqlite")
        yield outbox
        outbox.close()

    @pytest.fixture
    def late(
        self, outbox: SqliteOutbox, mosquitto: Mosquitto, running: Start
    ) -> Iterator[tuple[MqttSink, Listener, Worker]]:
        """A sink that has published 301 alerts of which the listener, who came late, has seen none."""
        sink = MqttSink(make_site(outbox), mosquitto.config(commands=True))
        for number in range(1, 301):
            outbox.append(make_alert(number))
        outbox.append(make_alert(300, AlertType.END, seq=1))
        worker = running(sink)
        wait_for(lambda: not len(outbox), "all acknowledged")
        listener = Listener(mosquitto.port)
        yield sink, listener, worker
        listener.close()
        worker.stop()  # before the outbox is closed
        assert worker.join(LIMIT)

    def test_a_subscriber_that_missed_some_asks_and_gets_them(self, late: tuple[MqttSink, Listener, Worker]) -> None:
        sink, listener, _ = late
        ask(listener, {"after": 40})
        wait_for(lambda: listener.sequences()[-1:] == [301], "the last of them")
        assert listener.sequences() == list(range(41, 302)), "in order, each once"
        first, last = listener.alerts()[0], listener.alerts()[-1]
        assert (first["instance"], first["id"], first["seq"]) == ("test", make_alert(41).id, 0)
        assert (last["id"], last["seq"], last["type"]) == (make_alert(300).id, 1, "end")
        assert not any(m.retain for m in listener.messages if m.topic.startswith("streamwatch/alerts/"))
        assert value(sink._site.metrics, "alert_latency_seconds_count", rule="fall") == 301, "a replay has no latency"

    def test_an_answer_says_what_cannot_be_had(self, mosquitto: Mosquitto, running: Start, tmp_path: Path) -> None:
        outbox = SqliteOutbox(tmp_path / "bounded.sqlite", bounds=Bounds(rows=10))
        for number in range(1, 51):
            outbox.append(make_alert(number))
        listener = Listener(mosquitto.port)
        worker = running(MqttSink(make_site(outbox), mosquitto.config(commands=True)))
        wait_for(lambda: listener.sequences() == list(range(41, 51)), "what was not given up")
        ask(listener, {"after": 20})
        wait_for(lambda: len(listener.sequences()) == 20, "again")
        answer = json.loads(listener.of("streamwatch/replay/answer")[0])
        assert answer == {
            "schema": "streamwatch.replay/1", "instance": "test", "after": 20, "first": 1, "last": 50,
            "pruned": [{"first": 21, "last": 40, "reason": "rows"}], "pruned_until": None,
        }  # fmt: skip
        listener.close()
        worker.stop()
        assert worker.join(LIMIT)
        outbox.close()

    def test_states_stay_as_they_are_and_new_alerts_do_not_wait(
        self, late: tuple[MqttSink, Listener, Worker], outbox: SqliteOutbox
    ) -> None:
        _, listener, _ = late
        wait_for(lambda: listener.of(STATE), "retained")
        before = listener.of(STATE)
        ask(listener, {"after": 0})
        outbox.append(make_alert(302, camera="gate"))
        wait_for(lambda: {301, 302} <= set(listener.sequences()), "both")
        seen = listener.sequences()
        assert seen.index(302) < seen.index(301), "the new one came first"
        assert sorted(seen) == list(range(1, 303))
        assert listener.of(STATE) == before

    def test_a_broker_killed_in_the_middle_does_not_end_it(
        self, late: tuple[MqttSink, Listener, Worker], mosquitto: Mosquitto
    ) -> None:
        sink, first, _ = late
        ask(first, {"after": 0})
        wait_for(lambda: len(first.sequences()) > 20, "it has begun")
        mosquitto.kill()
        first.close()
        wait_for(lambda: sink.state is not LinkState.CONNECTED, "the loss is seen")
        mosquitto.start()
        second = Listener(mosquitto.port)
        wait_for(lambda: second.sequences()[-1:] == [301], "the rest")
        rest = second.sequences()
        assert rest == list(range(rest[0], 302))
        assert rest[0] > 1, "it went on where it was"
        second.close()

    def test_stopping_does_not_wait_for_it(self, late: tuple[MqttSink, Listener, Worker]) -> None:
        _, listener, worker = late
        ask(listener, {"after": 0})
        wait_for(listener.alerts, "it has begun")
        worker.stop()
        assert worker.join(LIMIT)
        wait_for(lambda: listener.shows("streamwatch/available", "stopped"), "said goodbye")
        assert listener.sequences()[-1] < 301

    def test_is_refused_where_it_is_malformed(self, late: tuple[MqttSink, Listener, Worker]) -> None:
        _, listener, _ = late
        for payload in (b"", b"[]", b'{"after": -1}', b'{"after": 0, "x": ' + b"1" * 200 + b"}", b"\xff" * 100_000):
            listener.publish("streamwatch/replay/request", payload)
        ask(listener, {"after": 300})
        wait_for(listener.alerts, "the last of these is taken")
        assert listener.sequences() == [301]

    def test_is_off_unless_commands_are_enabled(self, mosquitto: Mosquitto, running: Start, tmp_path: Path) -> None:
        site = make_site(filled(0))
        sink = MqttSink(site, mosquitto.config())
        running(sink)
        wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
        listener = Listener(mosquitto.port)
        ask(listener, {"after": 0})
        site.outbox.append(make_alert())
        wait_for(listener.alerts, "a round trip later")
        assert not sink._book.replay.active
        assert listener.sequences() == [1]
        listener.close()


def ask(listener: Listener, request: object) -> None:
    listener.publish("streamwatch/replay/request", json.dumps(request).encode())

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamwatch.config import MqttConfig
from streamwatch.sinks.mqtt import LinkState, MqttSink
from streamwatch.sinks.notices import Notices
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, Listener, Mosquitto, make_alert, make_site, value, wait_for

Start = Callable[[MqttSink], Worker]
APPLIED = "streamwatch/rules/applied"


def drain(notices: Notices) -> list[str]:
    found = []
    while (notice := notices.take()) is not None:
        found.append(notice[1])
    return found


class TestNotices:
    def test_come_in_order_and_once(self) -> None:
        notices = Notices()
        for payload in "abc":
            notices.put("t", payload)
        assert len(notices) == 3
        assert drain(notices) == ["a", "b", "c"]
        assert len(notices) == 0

    def test_those_that_did_not_arrive_come_first(self) -> None:
        notices = Notices()
        for payload in "abc":
            notices.put("t", payload)
        taken = [notices.take(), notices.take()]
        notices.put_back([notice for notice in taken if notice is not None])
        assert drain(notices) == ["a", "b", "c"]

    def test_the_oldest_make_room(self) -> None:
        notices = Notices()
        for number in range(68):
            notices.put("t", str(number))
        notices.put_back([("t", "taken before")])
        assert drain(notices) == [str(number) for number in range(4, 68)]


class TestReload:
    @pytest.fixture
    def listener(self, mosquitto: Mosquitto) -> Iterator[Listener]:
        listener = Listener(mosquitto.port)
        yield listener
        listener.close()

    def test_is_asked_for_and_answered(self, mosquitto: Mosquitto, listener: Listener, running: Start) -> None:
        asked: list[str] = []
        site = make_site()
        sink = MqttSink(site, mosquitto.config(commands=True), on_reload=lambda: asked.append("reload"))
        running(sink)
        site.outbox.append(make_alert())
        wait_for(listener.alerts, "connected and subscribed")
        for payload in (b"now", b"{" * 100_000, b'{"a": 1}', b"", b"{}"):
            listener.publish("streamwatch/rules/reload", payload)
        wait_for(lambda: len(asked) == 2, "both that are well-formed")
        answer = {"applied": False, "errors": ["rules/fall.yml: ‘for’ is missing"]}
        sink.applied(answer)
        sink.applied({"applied": True, "rules": 3})
        wait_for(lambda: len(listener.of(APPLIED)) == 2, "both answers")
        assert [json.loads(payload) for payload in listener.of(APPLIED)] == [answer, {"applied": True, "rules": 3}]
        message = next(m for m in listener.messages if m.topic == APPLIED)
        assert (message.qos, message.retain) == (1, False)
        late = Listener(mosquitto.port, name="late")
        wait_for(lambda: late.of("streamwatch/available"), "what is retained")
        assert not late.of(APPLIED)
        late.close()
        assert len(asked) == 2

    def test_is_off_unless_commands_are_enabled(self, mosquitto: Mosquitto, listener: Listener, running: Start) -> None:
        asked: list[str] = []
        sink = MqttSink(make_site(), mosquitto.config(), on_reload=lambda: asked.append("reload"))
        running(sink)
        wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
        listener.publish("streamwatch/rules/reload", b"")
        sink.applied({"applied": True})
        wait_for(lambda: listener.of(APPLIED), "a round trip later; other ways to reload are answered, too")
        assert not asked

    def test_answers_wait_for_a_broker_that_is_away(
        self, mosquitto: Mosquitto, listener: Listener, running: Start
    ) -> None:
        sink = MqttSink(make_site(), mosquitto.config())
        worker = running(sink)
        wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
        listener.close()
        mosquitto.freeze()
        sink.applied({"number": 1})
        wait_for(lambda: not len(sink._book.notices), "in flight")
        mosquitto.kill()
        worker.stop()
        assert worker.join(LIMIT)
        sink.applied({"number": 2})
        mosquitto.start()
        again = Listener(mosquitto.port)
        running(sink)  # only now that somebody listens
        wait_for(lambda: len(again.of(APPLIED)) >= 2, "both")
        assert [json.loads(payload)["number"] for payload in again.of(APPLIED)] == [1, 2]
        again.close()

    def test_one_that_is_refused_is_dropped_and_counted(self, tmp_path: Path, running: Start) -> None:
        rights = tmp_path / "rights"
        rights.write_text(f"topic readwrite #\ntopic deny {APPLIED}\n")
        broker = Mosquitto(tmp_path, "allow_anonymous true", f"acl_file {rights}")
        broker.start()
        site = make_site()
        sink = MqttSink(site, broker.config())
        running(sink)
        wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
        sink.applied({"applied": True})
        wait_for(lambda: value(site.metrics, "mqtt_published_total", result="failed") == 1, "counted")
        assert not len(sink._book.notices), "not kept"
        site.outbox.append(make_alert())
        wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "alerts go on")
        broker.kill()

    def test_what_json_cannot_hold_is_the_callers_fault(self) -> None:
        with pytest.raises(ValueError, match="JSON"):
            MqttSink(make_site(), MqttConfig()).applied({"time": math.nan})

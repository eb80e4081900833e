import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamwatch.rules.alert import to_json
from streamwatch.sinks.discovery import describe, device_id
from streamwatch.sinks.mqtt import LinkState, MqttSink
from streamwatch.sinks.sink import Site
from streamwatch.sinks.states import Topics
from streamwatch.worker import Worker
from tests.sinks.stage import Listener, Mosquitto, make_alert, make_site, value, wait_for

Start = Callable[[MqttSink], Worker]
DOCK = "homeassistant/device/" + device_id("streamwatch", "dock") + "/config"
GATE = "homeassistant/device/" + device_id("streamwatch", "gate") + "/config"
BIRTH = "homeassistant/status"


def described(commands: bool = True, prefix: str = "p") -> dict[str, Any]:
    found = describe(Topics(prefix), "dock", ["fall", "two_falls"], commands, ["fight", "fall"])
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]  # as it travels


def render(template: str, payload: str) -> str:
    """As Home Assistant would: Jinja2 in a sandbox with its filter ``to_json``."""
    environment = pytest.importorskip("jinja2.sandbox", reason="jinja2 comes with torch").SandboxedEnvironment()
    environment.filters["to_json"] = json.dumps
    try:
        values = {"value": payload, "value_json": json.loads(payload)}
    except ValueError:
        values = {"value": payload}
    return str(environment.from_string(template).render(values))


class TestDevice:
    def test_has_what_home_assistant_asks_for(self) -> None:
        device = described()
        assert set(device) == {"dev", "o", "cmps", "avty", "qos"}
        assert device["qos"] == 1
        assert set(device["dev"]) == {"ids", "name", "mf", "mdl", "sw"}
        assert device["dev"]["ids"] == [device_id("p", "dock")]
        assert set(device["o"]) == {"name", "sw", "url"}
        platforms = {name: part["p"] for name, part in device["cmps"].items()}
        assert platforms == {
            "alert_fall": "binary_sensor", "alert_two_falls": "binary_sensor", "status": "sensor",
            "connectivity": "binary_sensor", "alerts": "event", "enabled": "switch",
            "picture_fall": "camera", "picture_two_falls": "camera",
            "score_fight": "sensor", "score_fall": "sensor", "fps": "sensor",
        }  # fmt: skip
        ids = [part["unique_id"] for part in device["cmps"].values()]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch("[a-zA-Z0-9_-]+", name) for name in [*ids, *platforms])

    def test_listens_where_streamwatch_speaks(self) -> None:
        topics, parts = Topics("p"), described()["cmps"]
        assert parts["alert_fall"]["state_topic"] == topics.alert_state("dock", "fall")
        assert parts["alert_fall"]["device_class"] == "safety"
        assert parts["alert_fall"]["json_attributes_topic"] == topics.alert("dock", "fall")
        assert parts["status"]["state_topic"] == parts["connectivity"]["state_topic"] == topics.status("dock")
        assert parts["alerts"]["state_topic"] == "p/alerts/dock/+"
        assert parts["enabled"]["state_topic"] == topics.enabled("dock")
        assert parts["enabled"]["command_topic"] == "p/dock/enabled/set"

    def test_says_nothing_that_home_assistant_does_not_document(self) -> None:
        """https://www.home-assistant.io/integrations/mqtt/ and the page of each platform; unknown keys are errors."""
        shared = {"p", "name", "unique_id", "entity_category"}
        documented = {
            "binary_sensor": {"state_topic", "device_class", "json_attributes_topic", "value_template"},
            "sensor": {
                "state_topic", "state_class", "suggested_display_precision", "expire_after", "unit_of_measurement",
            },
            "event": {"state_topic", "event_types", "value_template"},
            "camera": {"topic"},
            "switch": {"state_topic", "command_topic"},
        }  # fmt: skip
        for name, part in described()["cmps"].items():
            assert set(part) <= shared | documented[part["p"]], name

    def test_scores_are_diagnostic_and_expire(self) -> None:
        topics, parts = Topics("p"), described()["cmps"]
        assert parts["score_fight"]["state_topic"] == topics.score("dock", "fight") == "p/dock/score/fight"
        assert parts["fps"]["state_topic"] == topics.fps("dock") == "p/dock/fps"
        for part in (parts["score_fight"], parts["fps"]):
            assert part["entity_category"] == "diagnostic"
            assert part["expire_after"] > 60

    def test_each_rule_has_its_picture(self) -> None:
        parts = described()["cmps"]
        assert parts["picture_fall"]["topic"] == "p/dock/alert/fall/snapshot"
        assert parts["picture_two_falls"]["topic"] == "p/dock/alert/two_falls/snapshot"

    def test_without_readings_there_are_no_sensors_for_them(self) -> None:
        parts = describe(Topics("p"), "dock", ["fall"], True)["cmps"]
        assert not [name for name in parts if name.startswith("score_") or name == "fps"]

    def test_has_no_switch_where_commands_are_off(self) -> None:
        assert "enabled" not in described(commands=False)["cmps"]

    @pytest.mark.parametrize(("payload", "shown"), [("online", "online"), ("stopped", "offline"), ("offline",) * 2])
    def test_is_available_while_streamwatch_runs(self, payload: str, shown: str) -> None:
        (availability,) = described()["avty"]
        assert availability["topic"] == "p/available"
        assert render(availability["value_template"], payload) == shown

    @pytest.mark.parametrize(
        ("status", "shown"),
        [("online", "ON"), ("frozen", "ON"), ("offline", "OFF"), ("disabled", "OFF"), ("failed", "OFF")],
    )
    def test_is_connected_while_pictures_come(self, status: str, shown: str) -> None:
        assert render(described()["cmps"]["connectivity"]["value_template"], status) == shown

    def test_an_alert_is_an_event(self) -> None:
        part, alert = described()["cmps"]["alerts"], make_alert()
        event = json.loads(render(part["value_template"], to_json(alert, "test", 7)))
        assert event["event_type"] in part["event_types"]
        assert part["event_types"] == ["new", "update", "end"]
        assert (event["id"], event["sequence"], event["rule"]) == (alert.id, 7, "fall")
        assert event["summary"] == alert.summary

    @pytest.mark.parametrize(("one", "other"), [(("a/b", "c"), ("a_b", "c")), (("a", "b_c"), ("a_b", "c"))])
    def test_ids_differ(self, one: tuple[str, str], other: tuple[str, str]) -> None:
        assert device_id(*one) != device_id(*other)
        assert re.fullmatch("[a-zA-Z0-9_-]+", device_id(*one))


class TestOverMqtt:
    @pytest.fixture
    def listener(self, mosquitto: Mosquitto) -> Iterator[Listener]:
        listener = Listener(mosquitto.port)
        yield listener
        listener.close()

    def test_devices_are_retained_and_said_again_when_home_assistant_starts(
        self, mosquitto: Mosquitto, listener: Listener, running: Start
    ) -> None:
        sink = MqttSink(make_site(), mosquitto.config(discovery="homeassistant"))
        running(sink)
        wait_for(lambda: listener.of(DOCK) and listener.of(GATE), "both devices")
        late = Listener(mosquitto.port, name="late")
        wait_for(lambda: len(late.of(DOCK)) == 1, "retained")
        late.close()
        assert set(json.loads(listener.of(DOCK)[0])["cmps"]) >= {"alert_fall", "alert_fire", "alerts"}
        for payload in (b"offline", b"x" * 10_000, b"online", b"online"):  # twice at once is once
            listener.publish(BIRTH, payload)
        wait_for(lambda: len(listener.of("streamwatch/gate/alert/fall/state")) == 2, "states, too")
        wait_for(lambda: len(listener.of(DOCK)) == len(listener.of(GATE)) == 2, "again")
        sink.status("dock", "online")
        wait_for(lambda: listener.shows("streamwatch/dock/status", "online"), "a round trip later")
        assert len(listener.of(DOCK)) == 2

    def test_what_an_earlier_run_announced_and_is_gone_is_taken_back(
        self, mosquitto: Mosquitto, listener: Listener, running: Start, tmp_path: Path
    ) -> None:
        config, file = mosquitto.config(discovery="homeassistant"), tmp_path / "announced.json"
        one = running(MqttSink(make_site(), config, announced=file))
        wait_for(lambda: listener.of(DOCK) and listener.of(GATE), "both devices")
        one.stop()
        assert one.join(20)
        site = make_site()
        fewer = Site("test", {"dock": ["fall"]}, site.outbox, site.metrics)
        two = running(MqttSink(fewer, config, announced=file))
        wait_for(lambda: listener.shows(GATE, ""), "the gate is gone")
        wait_for(lambda: len(listener.of(DOCK)) == 2, "the dock is not")
        parts = json.loads(listener.of(DOCK)[-1])["cmps"]
        assert parts["alert_fire"] == {"p": "binary_sensor"}, "its rule is"
        assert parts["picture_fire"] == {"p": "camera"}
        wait_for(lambda: "gate" not in file.read_text() and "fire" not in file.read_text(), "and forgotten")
        two.stop()
        assert two.join(20)
        running(MqttSink(fewer, mosquitto.config(), announced=file))
        wait_for(lambda: listener.shows(DOCK, ""), "discovery is off: all are gone")
        wait_for(lambda: json.loads(file.read_text()) == {}, "and forgotten")
        late = Listener(mosquitto.port, name="late")
        wait_for(lambda: late.of("streamwatch/available"), "what is retained")
        assert not [m for m in late.messages if m.topic.startswith("homeassistant/")]
        late.close()

    def test_rules_that_come_and_go_while_it_runs_are_followed(
        self, mosquitto: Mosquitto, listener: Listener, running: Start
    ) -> None:
        site = make_site()
        sink = MqttSink(site, mosquitto.config(discovery="homeassistant"))
        running(sink)
        wait_for(lambda: listener.of(DOCK) and listener.of(GATE), "both devices")
        site.outbox.append(make_alert())
        wait_for(lambda: listener.shows("streamwatch/dock/alert/fall/state", "ON"), "an open incident")
        sink.watch({"dock": ["fall", "fight"], "gate": ["fall"]})
        wait_for(lambda: len(listener.of(DOCK)) == 2, "announced anew")
        parts = json.loads(listener.of(DOCK)[-1])["cmps"]
        assert parts["alert_fire"] == {"p": "binary_sensor"}, "taken back"
        assert set(parts) >= {"alert_fight", "alert_fall"}
        wait_for(lambda: listener.shows("streamwatch/dock/alert/fight/state", "OFF"), "a state for the new rule")
        assert listener.shows("streamwatch/dock/alert/fall/state", "ON"), "still open"
        assert len(listener.of(GATE)) == 1, "nothing new there"
        sink.watch({"dock": ["fall", "fight"], "gate": ["fall"]})
        wait_for(lambda: "alert_fire" not in json.loads(listener.of(DOCK)[-1])["cmps"], "no longer mentioned")

    def test_is_off_unless_configured(self, mosquitto: Mosquitto, listener: Listener, running: Start) -> None:
        sink = MqttSink(make_site(), mosquitto.config())
        running(sink)
        wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
        listener.publish(BIRTH, b"online")
        sink.status("dock", "online")
        wait_for(lambda: listener.shows("streamwatch/dock/status", "online"), "a round trip later")
        assert [m.topic for m in listener.messages if m.topic.startswith("homeassistant/")] == [BIRTH]

    def test_a_broker_that_does_not_let_us_announce_does_not_hold_up_alerts(
        self, tmp_path: Path, running: Start
    ) -> None:
        rights = tmp_path / "rights"
        rights.write_text("topic readwrite streamwatch/#\n")
        broker = Mosquitto(tmp_path, "allow_anonymous true", f"acl_file {rights}")
        broker.start()
        site = make_site()
        running(MqttSink(site, broker.config(discovery="homeassistant")))
        wait_for(lambda: value(site.metrics, "mqtt_published_total", result="failed") >= 2, "refused")
        site.outbox.append(make_alert())
        wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "acknowledged", limit=4.0)
        broker.kill()

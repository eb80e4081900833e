import dataclasses
import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from streamwatch.config import MqttConfig
from streamwatch.errors import ConfigError
from streamwatch.rules.alert import to_payload
from streamwatch.sinks.formats import FORMATS, write_binary, write_plain, write_structured
from streamwatch.sinks.mqtt import MqttSink
from streamwatch.worker import Worker
from tests.sinks.stage import Listener, Mosquitto, make_alert, make_site, wait_for

Start = Callable[[MqttSink], Worker]
# RFC 3339 with a time zone, as the specification's type Timestamp asks for
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def check_attributes(found: dict[str, str], instance: str = "test") -> None:
    """CloudEvents 1.0.2: the required attributes, their types, and names of a–z and 0–9 alone."""
    assert {"id", "source", "specversion", "type"} <= set(found)
    assert all(re.fullmatch("[a-z0-9]{1,20}", name) for name in found)
    assert all(isinstance(value, str) and value for value in found.values())
    assert found["specversion"] == "1.0"
    assert found["type"] == "io.streamwatch.alert.v1"
    assert found["id"] == f"{instance}/7"
    assert urlsplit(found["source"]).path.startswith("/streamwatch/")
    assert " " not in found["source"]
    assert RFC_3339.fullmatch(found["time"])
    assert found["subject"] == "dock/fall"


class TestFormats:
    def test_structured_is_an_envelope_with_the_alert_as_data(self) -> None:
        alert = make_alert()
        body = write_structured(alert, "test", 7)
        event = json.loads(body.payload)
        data = event.pop("data")
        check_attributes(event)
        assert data == to_payload(alert, "test", 7)
        assert event["datacontenttype"] == "application/json"
        assert datetime.fromisoformat(event["time"]).timestamp() == pytest.approx(alert.time, abs=1e-6)
        assert body.content_type == "application/cloudevents+json; charset=utf-8"

    def test_binary_is_the_alert_with_the_attributes_beside_it(self) -> None:
        alert = make_alert()
        body = write_binary(alert, "test", 7)
        check_attributes(dict(body.properties))
        assert "datacontenttype" not in dict(body.properties), "it is the content type"
        assert body.content_type == "application/json"
        assert json.loads(body.payload) == to_payload(alert, "test", 7)

    def test_plain_says_its_place_beside_the_payload(self) -> None:
        body = write_plain(make_alert(), "test", 7)
        assert json.loads(body.payload)["sequence"] == 7
        assert dict(body.properties) == {"instance": "test", "sequence": "7", "severity": "critical"}

    def test_an_instance_of_any_name_is_a_valid_source(self) -> None:
        check_attributes(json.loads(write_structured(make_alert(), "hall 3/ü", 7).payload) | {"data": "x"}, "hall 3/ü")

    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize("spoilt", [{"score": float("nan")}, {"summary": "\ud800"}, {"severity": "\ud800"}])
    def test_what_no_json_can_hold_is_refused(self, name: str, spoilt: dict[str, float | str]) -> None:
        alert = dataclasses.replace(make_alert(), **spoilt)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"JSON|surrogates"):
            FORMATS[name](alert, "test", 7)

    @pytest.mark.parametrize("name", ["cloudevents", "cloudevents-binary"])
    @pytest.mark.parametrize("time", [1e30, -1e30])
    def test_a_time_that_no_calendar_knows_is_refused(self, name: str, time: float) -> None:
        with pytest.raises(ValueError, match=r"calendar|year"):
            FORMATS[name](dataclasses.replace(make_alert(), time=time), "test", 7)


class TestOverMqtt:
    @pytest.mark.parametrize("protocol", ["3.1.1", "5"])
    def test_structured_on_both_versions(self, mosquitto: Mosquitto, running: Start, protocol: str) -> None:
        listener = Listener(mosquitto.port, version=5)
        site = make_site()
        running(MqttSink(site, mosquitto.config(format="cloudevents", protocol=protocol)))
        for number in range(7):
            site.outbox.append(make_alert(number))
        wait_for(lambda: len(listener.alerts()) == 7, "all of them")
        events = listener.alerts()
        check_attributes({name: value for name, value in events[-1].items() if name != "data"})
        assert len({(event["source"], event["id"]) for event in events}) == 7
        message = next(m for m in listener.messages if m.topic.startswith("streamwatch/alerts/"))
        content_type = getattr(message.properties, "ContentType", None)
        assert content_type == ("application/cloudevents+json; charset=utf-8" if protocol == "5" else None)
        listener.close()

    def test_binary_on_5(self, mosquitto: Mosquitto, running: Start) -> None:
        listener = Listener(mosquitto.port, version=5)
        site = make_site()
        running(MqttSink(site, mosquitto.config(format="cloudevents-binary")))
        for number in range(7):
            site.outbox.append(make_alert(number))
        wait_for(lambda: len(listener.alerts()) == 7, "all of them")
        message = [m for m in listener.messages if m.topic.startswith("streamwatch/alerts/")][-1]
        properties: Any = message.properties
        check_attributes(dict(properties.UserProperty))
        assert properties.ContentType == "application/json"
        assert properties.PayloadFormatIndicator == 1
        assert listener.alerts()[-1]["schema"] == "streamwatch.alert/1"
        listener.close()

    def test_binary_becomes_structured_where_the_broker_turns_out_to_be_old(self) -> None:
        sink = MqttSink(make_site(), MqttConfig(host="127.0.0.1", format="cloudevents-binary", client_id="x"))
        sink._version = 4
        assert "specversion" in json.loads(sink._write(make_alert(), "test", 1).payload)

    def test_binary_where_it_cannot_be_is_refused(self) -> None:
        for config in (
            MqttConfig(format="cloudevents-binary"),
            MqttConfig(host="b", format="cloudevents-binary", protocol="3.1.1"),
        ):
            with pytest.raises(ConfigError, match=r"mqtt\.format: cloudevents-binary"):
                MqttSink(make_site(), config)

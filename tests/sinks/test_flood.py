"""Ten thousand messages of garbage: memory stays bounded, the log short, and alerts go on."""

import random
import time
from collections.abc import Callable

import psutil
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from streamwatch.sinks.mqtt import LinkState, MqttSink
from streamwatch.worker import Worker
from tests.sinks.stage import Listener, Mosquitto, make_alert, make_site, value, wait_for

Start = Callable[[MqttSink], Worker]
COUNT = 10_000
ROOM = 48 << 20  # bytes; the flood is 40 MB on the wire


def test_a_flood_of_garbage_neither_fills_memory_nor_stops_alerts(
    mosquitto: Mosquitto, running: Start, caplog: pytest.LogCaptureFixture
) -> None:
    site, switched = make_site(), []
    reloads: list[float] = []
    sink = MqttSink(
        site,
        mosquitto.config(commands=True),
        lambda camera, enabled: switched.append((camera, enabled)),
        on_reload=lambda: reloads.append(time.monotonic()),
    )
    running(sink)
    wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
    listener = Listener(mosquitto.port)
    stranger = Client(CallbackAPIVersion.VERSION2, "stranger")
    stranger.connect("127.0.0.1", mosquitto.port)
    stranger.loop_start()
    before = psutil.Process().memory_info().rss
    begun = time.monotonic()
    chance = random.Random(7)
    topics = ["dock/enabled/set", "nowhere/enabled/set", "replay/request", "rules/reload", "../enabled/set"]
    for number in range(COUNT):
        if number % 500 == 0:
            site.outbox.append(make_alert(number))
        topic = f"streamwatch/{topics[number % len(topics)] if number % 3 else f'x{number}/enabled/set'}"
        payload = chance.choice([b"ON", b"{}", b"", chance.randbytes(4096)])
        stranger.publish(topic, payload, qos=0).wait_for_publish(20)
    listener.publish("streamwatch/gate/enabled/set", b"OFF")
    wait_for(lambda: len(listener.alerts()) == COUNT // 500, "all alerts", 60.0)
    wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "acknowledged")
    lasted = time.monotonic() - begun

    def counted() -> float:
        return sum(value(site.metrics, "mqtt_commands_total", result=r) for r in ("taken", "refused", "dropped"))

    for _ in range(20):  # what was dropped last is counted with the next that comes
        listener.publish("streamwatch/gate/enabled/set", b"?")
    in_reach = len([m for m in listener.messages if m.topic.endswith(("enabled/set", "request", "reload"))])
    wait_for(
        lambda: counted() >= in_reach * 0.9,
        "each is taken, refused or dropped, and counted (the broker may drop some at QoS 0)",
    )
    assert psutil.Process().memory_info().rss - before < ROOM + sum(len(m.payload) for m in listener.messages)
    assert len(switched) <= 6 + lasted, "five at once, then one a second, and the gate"
    assert len(reloads) <= 6 + lasted / 5
    lines = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) <= 6 + lasted / 10, "said a few times, not ten thousand"
    assert sink.state is LinkState.CONNECTED
    stranger.disconnect()
    stranger.loop_stop()
    listener.close()

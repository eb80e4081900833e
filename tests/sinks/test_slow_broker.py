"""A broker that is there and does not answer: frozen in mid-stream, or slow all the time."""

import time
from collections.abc import Callable

import pytest

from streamwatch.sinks.mqtt import LinkState, MqttSink
from streamwatch.worker import Worker
from tests.sinks.stage import Listener, Mosquitto, make_alert, make_site, value, wait_for

Start = Callable[[MqttSink], Worker]
KEEPALIVE = 10.0  # connection.py


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_frozen_broker_is_seen_in_time_and_no_alert_is_lost(
    mosquitto: Mosquitto, running: Start, protocol: str
) -> None:
    site = make_site()
    sink = MqttSink(site, mosquitto.config(protocol=protocol))
    running(sink)
    site.outbox.append(make_alert(1))
    wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "it works")
    mosquitto.freeze()
    begun = time.monotonic()
    for number in range(2, 42):
        site.outbox.append(make_alert(number))
    wait_for(lambda: sink.state is not LinkState.CONNECTED, "the loss is seen", 40.0)
    assert time.monotonic() - begun < 1.5 * KEEPALIVE + 3.0, "one and a half keepalives, and a loaded machine"
    assert value(site.metrics, "mqtt_connected") == 0
    assert len(site.outbox.pending(0, 100, 0.0)) == 40
    mosquitto.thaw()
    wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "all arrive", 60.0)


def test_a_broker_that_stops_now_and_then_gets_all_in_order(mosquitto: Mosquitto, running: Start) -> None:
    site = make_site()
    running(MqttSink(site, mosquitto.config()))
    listener = Listener(mosquitto.port)
    for number in range(1, 201):
        site.outbox.append(make_alert(number))
    for _ in range(8):
        mosquitto.freeze()
        time.sleep(0.3)
        mosquitto.thaw()
        time.sleep(0.05)
    wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "all acknowledged")
    wait_for(lambda: len(listener.sequences()) >= 200, "all arrived")
    assert listener.sequences() == list(range(1, 201)), "in order, none twice: it was slow, not gone"
    listener.close()

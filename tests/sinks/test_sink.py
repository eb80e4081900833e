import threading

from streamwatch.config import MqttConfig
from streamwatch.sinks.mqtt import MqttSink
from streamwatch.sinks.sink import Sink
from tests.sinks.stage import free_port, make_site


def test_the_mqtt_sink_is_one_and_returns_when_stopped() -> None:
    sink: Sink = MqttSink(make_site(), MqttConfig(port=free_port()))
    stop = threading.Event()
    stop.set()
    sink.run(stop)

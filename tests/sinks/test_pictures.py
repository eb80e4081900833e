from pathlib import Path

import pytest

from streamwatch.rules.alert import AlertType
from streamwatch.sinks.mqtt import MqttSink
from streamwatch.sinks.pictures import SIZE_LIMIT, Pictures
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, Listener, Mosquitto, make_alert, make_site, wait_for

TOPIC = "streamwatch/dock/alert/fall/snapshot"


def test_one_at_a_time_and_the_newest_of_each_topic() -> None:
    pictures = Pictures()
    pictures.set("a", b"1")
    pictures.set("b", b"1")
    pictures.set("a", b"2")
    assert pictures.take() == ("a", b"2")
    assert pictures.take() is None
    pictures.answered("other")
    assert pictures.take() is None
    pictures.answered("a")
    assert pictures.take() == ("b", b"1")


def test_what_was_not_handed_over_or_lost_is_said_again() -> None:
    pictures = Pictures()
    pictures.set("a", b"1")
    pictures.take()
    pictures.put_back()
    assert pictures.take() == ("a", b"1")
    pictures.lost()
    assert pictures.take() == ("a", b"1")
    pictures.answered("a")
    pictures.say_all_again()
    assert pictures.take() == ("a", b"1")


def test_a_broker_that_hangs_up_three_times_gets_none_any_more() -> None:
    pictures = Pictures()
    pictures.set("a", b"1")
    for _ in range(2):
        assert pictures.take() is not None
        pictures.lost()
    pictures.lost()  # with none under way: no fault of the picture
    assert pictures.take() is not None
    pictures.lost()
    pictures.say_all_again()
    pictures.set("a", b"2")
    assert pictures.take() is None


def test_a_picture_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="more than"):
        Pictures().set("a", bytes(SIZE_LIMIT + 1))


@pytest.mark.timeout(60)
def test_a_snapshot_is_retained_for_those_who_come_later(mosquitto: Mosquitto) -> None:
    sink = MqttSink(make_site(), mosquitto.config())
    worker = Worker("sink:mqtt", sink.run)
    worker.start()
    jpeg = b"\xff\xd8" + bytes(SIZE_LIMIT - 2)
    sink.snapshot("dock", "fall", jpeg)
    early = Listener(mosquitto.port)
    wait_for(lambda: any(m.topic == TOPIC for m in early.messages), "the snapshot arrives")
    late = Listener(mosquitto.port, name="late")
    wait_for(lambda: any(m.topic == TOPIC for m in late.messages), "the snapshot was kept")
    (message,) = [m for m in late.messages if m.topic == TOPIC]
    assert (bytes(message.payload), message.retain, message.qos) == (jpeg, True, 1)
    with pytest.raises(ValueError, match="attic"):
        sink.snapshot("attic", "fall", jpeg)
    early.close()
    late.close()
    worker.stop()
    assert worker.join(LIMIT)


@pytest.mark.timeout(90)
def test_a_broker_that_takes_no_pictures_still_gets_every_alert(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path, "allow_anonymous true", "max_packet_size 20000")
    broker.start()
    site = make_site()
    sink = MqttSink(site, broker.config())
    worker = Worker("sink:mqtt", sink.run)
    listener = Listener(broker.port)
    sink.snapshot("dock", "fall", bytes(100_000))
    worker.start()
    for number in range(3):
        site.outbox.append(make_alert(number, AlertType.NEW))
    wait_for(lambda: set(listener.sequences()) >= {1, 2, 3}, "alerts arrive", 60)
    wait_for(lambda: not site.outbox.pending(0, 1, 0.0), "and are acknowledged", 60)
    listener.close()
    worker.stop()
    assert worker.join(LIMIT)
    broker.kill()

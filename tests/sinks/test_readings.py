from collections.abc import Callable

import pytest

from streamwatch.metrics import Metrics
from streamwatch.sinks.mqtt import LinkState, MqttSink
from streamwatch.sinks.readings import Readings
from streamwatch.sinks.states import Topics
from streamwatch.worker import Worker
from tests.sinks.stage import Listener, Mosquitto, make_site, wait_for

Start = Callable[[MqttSink], Worker]


class Watched:
    """One camera's metrics, as the pipeline would set them."""

    def __init__(self, every: float = 5.0) -> None:
        self.metrics = Metrics()
        self.readings = Readings(self.metrics, Topics("p"), every)
        self.score("fight", 0.0)
        self.metrics.frames_decoded.labels("dock").inc(0)

    def score(self, event: str, value: float) -> None:
        self.metrics.event_score.labels("dock", event).set(value)
        self.metrics.windows.labels("dock").inc()

    def due(self, at: float) -> dict[str, str]:
        return dict(self.readings.due(at))


@pytest.fixture
def watched() -> Watched:
    found = Watched()
    assert found.due(0.0) == {}, "there is no rate yet, and no window since"
    return found


def test_scores_and_rate_come_together(watched: Watched) -> None:
    watched.score("fight", 0.91234)
    watched.metrics.frames_decoded.labels("dock").inc(125)
    assert watched.due(5.0) == {"p/dock/score/fight": "0.912", "p/dock/fps": "25.0"}


def test_not_more_often_than_asked(watched: Watched) -> None:
    watched.score("fight", 0.5)
    assert watched.due(4.9) == {}
    assert "p/dock/score/fight" in watched.due(5.0)
    watched.score("fight", 0.6)
    assert watched.due(9.9) == {}


def test_the_same_again_only_after_half_a_minute(watched: Watched) -> None:
    said = []
    for step in range(1, 16):
        watched.score("fight", 0.5)
        watched.metrics.frames_decoded.labels("dock").inc(50)
        said.append(sorted(watched.due(step * 5.0)))
    full = ["p/dock/fps", "p/dock/score/fight"]
    assert [step for step, found in enumerate(said, 1) if found == full] == [1, 7, 13]
    assert all(found in ([], full) for found in said)


def test_a_camera_that_is_not_scored_has_no_scores(watched: Watched) -> None:
    watched.score("fight", 0.9)
    watched.due(5.0)
    watched.metrics.event_score.labels("dock", "fight").set(0.1)  # left over: no window came with it
    assert watched.due(10.0).keys() <= {"p/dock/fps"}
    assert watched.due(60.0) == {"p/dock/fps": "0.0"}


def test_zero_is_never() -> None:
    watched = Watched(every=0.0)
    for at in (0.0, 100.0):
        watched.score("fight", at / 100)
        assert watched.due(at) == {}


def test_they_arrive_at_qos_0_and_are_not_retained(mosquitto: Mosquitto, running: Start) -> None:
    site = make_site()
    sink = MqttSink(site, mosquitto.config(readings_every=0.2))
    running(sink)
    wait_for(lambda: sink.state is LinkState.CONNECTED, "connected")
    listener = Listener(mosquitto.port)
    site.metrics.event_score.labels("dock", "fall").set(0.25)

    def score() -> list[str]:
        site.metrics.windows.labels("dock").inc()
        site.metrics.frames_decoded.labels("dock").inc()
        return listener.of("streamwatch/dock/score/fall")

    wait_for(score, "the score")
    wait_for(lambda: listener.of("streamwatch/dock/fps"), "the rate")
    assert score()[0] == "0.250"
    readings = [m for m in listener.messages if "/score/" in m.topic or m.topic.endswith("/fps")]
    assert {(m.qos, m.retain) for m in readings} == {(0, False)}
    assert not site.outbox.pending(0, 1, 0.0)
    listener.close()

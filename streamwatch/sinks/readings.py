"""Scores and frame rates for those who look on: the newest is enough, so they go at QoS 0 and wait for nobody."""

from collections.abc import Iterator

from prometheus_client.registry import Collector

from streamwatch.metrics import Metrics
from streamwatch.sinks.connection import Connection
from streamwatch.sinks.formats import Body
from streamwatch.sinks.states import Topics

__all__ = ["EXPIRY", "Readings"]

EXPIRY = 90  # s after which a value that was not said again is none
_AGAIN = 30.0  # s; an unchanged value is said again


class Readings:
    """What the metrics say of each camera, every ``every`` seconds and only if it changed; 0: never.

    A camera whose windows are not scored has no scores. Owned by the thread that publishes; time is an argument.
    """

    def __init__(self, metrics: Metrics, topics: Topics, every: float) -> None:
        self._metrics = metrics
        self._topics = topics
        self._every = every
        self._looked: float | None = None
        self._frames: dict[str, float] = {}
        self._windows: dict[str, float] = {}
        self._said: dict[str, tuple[str, float]] = {}  # topic → (text, when)

    def say(self, connection: Connection, at: float) -> None:
        """Publish what is due at ``at`` (monotonic s); what the connection does not take is not said."""
        for topic, text in self.due(at):
            connection.publish(topic, Body(text), retain=False, qos=0)

    def due(self, at: float) -> list[tuple[str, str]]:
        """Topics with texts."""
        if not self._every or (self._looked is not None and at - self._looked < self._every):
            return []
        found = [(topic, text) for topic, text in self._look(at) if self._is_news(topic, text, at)]
        self._said.update((topic, (text, at)) for topic, text in found)
        return found

    def _look(self, at: float) -> Iterator[tuple[str, str]]:
        frames = {camera: value for (camera,), value in _values(self._metrics.frames_decoded, "camera")}
        windows = {camera: value for (camera,), value in _values(self._metrics.windows, "camera")}
        if self._looked is not None:
            for camera in frames.keys() & self._frames.keys():
                rate = (frames[camera] - self._frames[camera]) / (at - self._looked)
                yield self._topics.fps(camera), f"{max(0.0, rate):.1f}"
            for (camera, event), score in _values(self._metrics.event_score, "camera", "event"):
                if windows.get(camera, 0.0) > self._windows.get(camera, 0.0):
                    yield self._topics.score(camera, event), f"{score:.3f}"
        self._looked, self._frames, self._windows = at, frames, windows

    def _is_news(self, topic: str, text: str, at: float) -> bool:
        said = self._said.get(topic)
        return said is None or said[0] != text or at - said[1] >= _AGAIN


def _values(metric: Collector, *labels: str) -> Iterator[tuple[tuple[str, ...], float]]:
    for family in metric.collect():
        for sample in family.samples:
            yield tuple(sample.labels[label] for label in labels), sample.value

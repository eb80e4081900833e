"""Brokers that live as long as a test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamwatch.sinks.broker import EmbeddedBroker
from streamwatch.sinks.mqtt import MqttSink
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, Mosquitto


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(port=0)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def running() -> Iterator[Callable[[MqttSink], Worker]]:
    """Runs sinks as workers; a test that ends leaves none behind, and a sink that raised fails it."""
    workers: list[Worker] = []

    def start(sink: MqttSink) -> Worker:
        worker = Worker("sink:mqtt", sink.run)
        workers.append(worker)
        worker.start()
        return worker

    yield start
    for worker in workers:
        worker.stop()
        assert worker.join(LIMIT)
        assert worker.error is None, worker.trace

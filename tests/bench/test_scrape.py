"""Metrics, read as Prometheus would."""

import math
from collections.abc import Iterator

import pytest

from streamwatch.bench.scrape import Scrape, scrape
from streamwatch.config import HttpConfig
from streamwatch.http import HttpServer
from streamwatch.metrics import Metrics
from streamwatch.worker import Worker
from tests.sinks.stage import LIMIT, free_port
from tests.test_http import Well


@pytest.fixture
def served() -> Iterator[tuple[Metrics, int]]:
    metrics = Metrics()
    server = HttpServer(HttpConfig(port=free_port()), metrics, Well())
    worker = Worker("http", server.run)
    worker.start()
    yield metrics, server.address[1]
    worker.stop()
    assert worker.join(LIMIT)


def test_counts_by_label_and_since(served: tuple[Metrics, int]) -> None:
    metrics, port = served
    metrics.clips_dropped.labels("a", "replaced").inc(2)
    metrics.clips_dropped.labels("b", "replaced").inc(3)
    before = scrape(port)
    metrics.clips_dropped.labels("b", "offline").inc()
    change = scrape(port).since(before)
    assert before.sum("clips_dropped_total") == 5
    assert before.by("clips_dropped_total", "camera") == {"a": 2, "b": 3}
    assert change.by("clips_dropped_total", "reason") == {"replaced": 0, "offline": 1}


def test_quantiles_are_bounds_of_buckets_over_all_cameras(served: tuple[Metrics, int]) -> None:
    metrics, port = served
    for age in [0.15] * 18 + [0.7, 4.0]:
        metrics.frame_age.labels("a" if age < 1 else "b").observe(age)
    found = scrape(port)
    assert found.quantile("frame_age_seconds", 0.5) == 0.2
    assert found.quantile("frame_age_seconds", 0.95) == 0.75
    assert found.quantile("frame_age_seconds", 1.0) == 5.0
    assert math.isnan(found.quantile("batch_size", 0.95))


def test_nothing_is_zero() -> None:
    assert Scrape({}).sum("x") == 0
    assert Scrape({}).by("x", "camera") == {}


def test_nobody_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match=r"."):
        scrape(free_port(), 1)

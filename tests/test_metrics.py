import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import pytest
from prometheus_client import Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from streamwatch.config import HttpConfig
from streamwatch.http import HttpServer
from streamwatch.metrics import Metrics
from streamwatch.models.inference import Inference
from streamwatch.models.pack import load_pack
from streamwatch.video.camera import STATES
from streamwatch.video.cutter import Cutter
from streamwatch.video.meter import Meter
from streamwatch.video.picture import Tally
from streamwatch.video.stillness import Stillness
from streamwatch.video.window import ClipTiming
from streamwatch.worker import Worker
from tests.models.test_inference import Deterministic, clip
from tests.sinks.stage import LIMIT, accepts, free_port, wait_for
from tests.test_http import Well

CONTRACT = """
build_info provider_info{provider} camera_up{camera} camera_reconnects_total{camera,reason}
packets_received_total{camera} frames_decoded_total{camera} clips_total{camera} clips_dropped_total{camera,reason}
tokens_total{camera,source} windows_total{camera} stage_seconds{stage} batch_size frame_age_seconds{camera}
event_score{camera,event} incidents_active{camera,rule} alerts_total{camera,rule,type} alert_latency_seconds{rule}
rule_errors_total{rule} rules_loaded_timestamp_seconds outbox_pending outbox_oldest_seconds mqtt_connected
mqtt_published_total{result}
"""


def filled() -> Metrics:
    """Metrics with one series each, so that every name is exposed."""
    metrics = Metrics()
    for metric in vars(metrics).values():
        names = getattr(metric, "_labelnames", None)
        if names:
            metric.labels(*(f"some_{name}" for name in names))
    return metrics


def labels_by_name(metrics: Metrics) -> dict[str, set[str]]:
    return {
        sample.name: set(sample.labels) - {"le"}
        for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())
        for sample in family.samples
    }


@pytest.mark.parametrize("promise", CONTRACT.split())
def test_keeps_the_contract(promise: str) -> None:
    name, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})?", promise).groups()  # type: ignore[union-attr]
    found = labels_by_name(filled())
    name = f"streamwatch_{name}"
    actual = found.get(name, found.get(f"{name}_bucket"))
    assert actual is not None, f"{name} is not exposed"
    if labels:
        assert actual == set(labels.split(","))


def test_two_pipelines_share_no_count() -> None:
    first, second = Metrics(), Metrics()
    first.clips.labels("dock").inc()
    assert second.registry.get_sample_value("streamwatch_clips_total", {"camera": "dock"}) is None


def test_no_series_says_when_it_was_created() -> None:
    metrics = filled()
    assert "_created" not in generate_latest(metrics.registry).decode()
    assert "_created" not in generate_openmetrics(metrics.registry).decode()  # type: ignore[no-untyped-call]


def test_no_label_is_unbounded() -> None:
    labels = {name for names in labels_by_name(filled()).values() for name in names}
    assert labels == {
        "camera",
        "kind",
        "reason",
        "source",
        "state",
        "stage",
        "event",
        "rule",
        "type",
        "result",
        "provider",
        "version",
        "model",
        "worker",
    }


@pytest.mark.parametrize(
    ("name", "promised"), [("frame_age", 2.0), ("alert_latency", 2.0), ("stage_seconds", 0.1), ("batch_size", 8)]
)
def test_buckets_resolve_what_is_promised(name: str, promised: float) -> None:
    """A quantile near a promised limit is only as good as the buckets beside it."""
    bounds = getattr(Metrics(), name)._kwargs["buckets"]
    assert promised in bounds
    assert len(bounds) <= 16


def program(name: str) -> str:
    if (found := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_promtool_has_nothing_to_say() -> None:
    command = [program("promtool"), "check", "metrics"]
    text = generate_latest(filled().registry)
    found = subprocess.run(command, input=text, capture_output=True, timeout=60, check=False)
    assert (found.returncode, found.stdout + found.stderr) == (0, b"")


class TestPrometheus:
    @pytest.fixture
    def served(self) -> Iterator[tuple[Metrics, int]]:
        metrics = filled()
        server = HttpServer(HttpConfig(port=free_port()), metrics, Well())
        worker = Worker("http", server.run)
        worker.start()
        yield metrics, server.address[1]
        worker.stop()
        assert worker.join(LIMIT)

    def test_scrapes_us_and_answers(self, served: tuple[Metrics, int], tmp_path: Path) -> None:
        metrics, port = served
        metrics.alerts.labels("dock", "fall", "new").inc(3)
        metrics.frame_age.labels("dock").observe(0.7)
        config = tmp_path / "prometheus.yml"
        target = f"{{job_name: streamwatch, scrape_interval: 1s, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}"
        config.write_text(f"scrape_configs: [{target}]\n")
        own = free_port()
        process = subprocess.Popen(
            [
                program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{own}",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for(lambda: accepts(own), "prometheus accepts")
            assert _ask(own, 'streamwatch_alerts_total{camera="dock",rule="fall",type="new"}') == 3
            assert _ask(own, 'up{job="streamwatch"}') == 1
            assert _ask(own, 'streamwatch_frame_age_seconds_bucket{camera="dock",le="0.75"}') == 1
        finally:
            process.terminate()
            process.wait(LIMIT)


_QUERY = "/api/v1/query?query="


def _ask(port: int, query: str) -> float:
    """The value of ``query`` as soon as there is one."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        with suppress(HTTPError), urlopen(f"http://127.0.0.1:{port}{_QUERY}{quote(query)}", timeout=LIMIT) as answer:
            if result := json.load(answer)["data"]["result"]:  # HTTPError: 503 while it starts
                return float(result[0]["value"][1])
        threading.Event().wait(0.1)
    raise AssertionError(f"no answer to {query}")


def test_a_camera_that_is_watched_elsewhere_leaves_no_series() -> None:
    metrics = Metrics()
    for camera in ("dock", "gate"):
        metrics.camera_up.labels(camera).set(1)
        metrics.clips_dropped.labels(camera, "replaced").inc()
        metrics.frame_age.labels(camera).observe(0.2)
    metrics.stage_seconds.labels("decode").observe(0.1)
    metrics.forget("dock")
    text = generate_latest(metrics.registry).decode()
    assert 'camera="dock"' not in text
    assert text.count('camera="gate"') > 10
    assert 'stage="decode"' in text


class TestCost:
    """What all this counting takes of a core, at 24 cameras."""

    CAMERAS = tuple(f"camera-{number:02}" for number in range(24))
    SHARE = 0.01
    EACH = 15.0  # seconds from scrape to scrape

    def one_second(self, metrics: Metrics, stages: list[tuple[Inference, Meter]], second: int) -> None:
        """Of all cameras: a clip each, its window, and what its thread has counted meanwhile."""
        for camera, (inference, meter) in zip(self.CAMERAS, stages, strict=True):
            metrics.clips.labels(camera).inc()
            inference.process([clip(camera, second)])
            metrics.stage_seconds.labels("rules").observe(0.001)
            meter.read(Tally(packets=25, frames=25, decode_seconds=0.035), Stillness())

    def recorded(self, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
        """All calls of prometheus_client in such a second, as the stages make them."""
        model = Deterministic()
        model.card = load_pack("bundled").card
        model.score = lambda visual, age, mask: np.full((len(visual), len(model.card.events)), 0.1)  # type: ignore[method-assign]
        cutters = [Cutter(camera, ClipTiming(size=8)) for camera in self.CAMERAS]
        stages = [
            (Inference(model, {}, metrics), Meter(metrics, camera, cutter))
            for camera, cutter in zip(self.CAMERAS, cutters, strict=True)
        ]
        self.one_second(metrics, stages, 0)  # the first one makes the series
        tape: list[Callable[[], object]] = []
        for kind, name in ((MetricWrapperBase, "labels"), (Counter, "inc"), (Gauge, "set"), (Histogram, "observe")):
            real = getattr(kind, name)

            def record(*arguments: object, real: Callable[..., object] = real) -> object:
                tape.append(partial(real, *arguments))
                return real(*arguments)

            monkeypatch.setattr(kind, name, record)
        self.one_second(metrics, stages, 1)
        monkeypatch.undo()
        return tape

    def test_counting_and_being_scraped_takes_less_than_a_hundredth_of_a_core(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        metrics = Metrics()
        tape = self.recorded(metrics, monkeypatch)
        assert len(tape) > 20 * len(self.CAMERAS)
        for camera in self.CAMERAS:
            for state in STATES:
                metrics.camera_state.labels(camera, state).set(0)
            for rule in range(4):
                metrics.incidents_active.labels(camera, f"rule-{rule}").set(0)
                metrics.alerts.labels(camera, f"rule-{rule}", "new").inc()
        counting = min(seconds(lambda: [call() for call in tape]) for _ in range(10))
        scrapes = [
            min(seconds(partial(encode, metrics.registry)) for _ in range(5))
            for encode in (generate_latest, generate_openmetrics)
        ]
        share = counting + max(scrapes) / self.EACH
        assert share < self.SHARE, f"{counting * 1e3:.1f} ms a second, {max(scrapes) * 1e3:.1f} ms a scrape"


def seconds(work: Callable[[], object]) -> float:
    """CPU time of this thread."""
    began = time.thread_time()
    work()
    return time.thread_time() - began

"""Liveness is about workers, readiness about what works."""

import threading
import time

import pytest

from streamwatch.health import STUCK, Health, Watched
from streamwatch.worker import Worker


@pytest.fixture
def worker() -> Worker:
    def body(stop: threading.Event) -> None:
        assert stop.wait(30)

    return Worker("rules", body)


def health(watched: list[Watched], cameras: dict[str, str], broker: str = "connected", storing: bool = True) -> Health:
    return Health(watched, "tiny 1", "cpu", cameras, lambda: broker, lambda: storing)


def test_a_living_worker_is_not_lost_and_an_ended_one_is(worker: Worker) -> None:
    subject = health([Watched(worker)], {})
    assert subject.lost() == ["rules"]  # not begun
    worker.start()
    assert subject.lost() == []
    worker.stop()
    assert worker.join(10)
    assert subject.lost() == ["rules"]


def test_a_worker_without_a_beat_hangs(worker: Worker) -> None:
    worker.start()
    assert health([Watched(worker, lambda: time.monotonic() - STUCK - 1)], {}).lost() == ["rules"]
    assert health([Watched(worker, time.monotonic)], {}).lost() == []
    worker.stop()
    assert worker.join(10)


def test_cameras_and_broker_degrade_but_do_not_kill() -> None:
    subject = health([], {"dock": "online", "gate": "offline", "hall": "disabled"}, broker="unreachable")
    assert subject.lost() == []
    readiness = subject.readiness()
    assert readiness.ready
    assert readiness.cameras == {"dock": "online", "gate": "offline", "hall": "disabled"}
    assert readiness.degraded == ["camera gate: offline", "broker unreachable: alerts wait in the outbox"]


def test_a_camera_that_sees_no_longer_what_it_should_degrades() -> None:
    cameras = {"a": "covered", "b": "connecting", "c": "frozen", "d": "online"}
    assert health([], cameras).readiness().degraded == ["camera a: covered", "camera c: frozen"]


def test_a_store_that_cannot_be_written_is_not_ready() -> None:
    readiness = health([], {}, storing=False).readiness()
    assert not readiness.ready
    assert readiness.degraded == ["store: alerts are kept in memory only"]


def test_others_may_add_what_is_not_as_it_should_be() -> None:
    subject = health([], {})
    subject.also(lambda: ["snoozed until tomorrow: fall on dock"])
    assert subject.readiness().degraded == ["snoozed until tomorrow: fall on dock"]
    assert subject.readiness().ready

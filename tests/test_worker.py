"""A thread with a name, an end and a place for its exception."""

import threading
import time

from streamwatch.worker import Worker, end_worker, join_all


def test_runs_until_stopped() -> None:
    names: list[str] = []

    def body(stop: threading.Event) -> None:
        names.append(threading.current_thread().name)
        assert stop.wait(30)

    worker = Worker("camera:dock", body)
    assert worker.join(0)  # never begun
    worker.start()
    assert worker.alive
    assert not worker.join(0.01)
    worker.stop()
    worker.stop()
    assert worker.join(10)
    assert not worker.alive
    assert names == ["camera:dock"]
    assert worker.error is None


def test_keeps_what_its_body_raised_and_tells_once() -> None:
    told: list[Worker] = []

    def body(stop: threading.Event) -> None:
        raise ValueError("no such thing")

    worker = Worker("rules", body, told.append)
    worker.start()
    assert worker.join(10)
    assert isinstance(worker.error, ValueError)
    assert "no such thing" in worker.trace
    assert told == [worker]


def test_join_all_names_who_did_not_end() -> None:
    release = threading.Event()

    def wait(stop: threading.Event) -> None:
        release.wait(30)

    quick = Worker("quick", lambda stop: None)
    stuck = Worker("stuck", wait)
    quick.start()
    stuck.start()
    assert join_all([quick, stuck], limit=0.1) == ["stuck"]
    release.set()
    assert join_all([quick, stuck], limit=10) == []


def test_an_end_that_is_drained_waits_before_it_asks() -> None:
    asked: list[bool] = []

    def body(stop: threading.Event) -> None:
        asked.append(stop.wait(0.05))

    drained, stopped = Worker("drained", body), Worker("stopped", lambda stop: asked.append(stop.wait(30)))
    drained.start()
    assert end_worker(drained, 10, drain=True) == []
    stopped.start()
    assert end_worker(stopped, 10) == []
    assert asked == [False, True]


def test_an_end_names_who_does_not_come() -> None:
    release = threading.Event()

    def body(stop: threading.Event) -> None:
        release.wait(30)

    worker = Worker("stuck", body)
    worker.start()
    assert end_worker(worker, 0.05) == ["stuck"]
    release.set()
    assert end_worker(worker, 10) == []


def test_says_what_its_thread_has_spent() -> None:
    def burn(stop: threading.Event) -> None:
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        stop.wait(10)

    worker = Worker("burner", burn)
    assert worker.spent() == 0.0
    worker.start()
    deadline = time.monotonic() + 10
    while worker.spent() < 0.05:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    worker.stop()
    assert worker.join(10)
    assert worker.spent() == 0.0

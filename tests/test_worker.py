"""A thread with a name, an end and a place for its exception."""

import threading

from streamwatch.worker import Worker, join_all


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

"""The rules thread: order, back-pressure, ticks, a store that fails."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamwatch.document import parse_document
from streamwatch.errors import SinkError
from streamwatch.evaluation import QUEUE, RETRY, Evaluation
from streamwatch.learnt import LearntFile
from streamwatch.metrics import Metrics
from streamwatch.models.detection import CameraState, Detection, Gap, ModelInfo
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.rules.book import RuleBook
from streamwatch.rules.rule import Rule, hash_of, parse_rules
from streamwatch.rules.vocabulary import Vocabulary
from streamwatch.sinks.in_force import read
from streamwatch.sinks.score_files import read_rows
from streamwatch.sinks.scores import ScoreLog
from streamwatch.sinks.store import SqliteOutbox
from streamwatch.worker import Worker

RULES = """
rules:
  - {alert: fight, when: {event: fight, on: 0.7, off: 0.5}, keep_firing_for: 1s}
  - {alert: away, when: {camera: offline}}
  - {alert: tryout, shadow: true, when: {event: fight, on: 0.7, off: 0.5}}
"""
INFO = ModelInfo("tiny", "1", "0" * 64)


def rules(text: str = RULES) -> tuple[Rule, ...]:
    vocabulary = Vocabulary(frozenset({"fight"}), ("dock",), {})
    return parse_rules(parse_document(text, "r.yml", {}), "r.yml", vocabulary)


def book() -> RuleBook:
    return RuleBook(rules(), salt="test")


def detection(at: float, score: float) -> Detection:
    return Detection("dock", at - 1, at, None, {"fight": score}, 0.0, 1.0, INFO)


class Stage:
    """A running evaluation whose store can be broken."""

    def __init__(self, scores: ScoreLog | None = None) -> None:
        self.kept: list[Alert] = []
        self.broken = threading.Event()
        self.attempts = 0
        self.slow = 0.0
        self.metrics = Metrics()
        self.evaluation = Evaluation(book(), self.keep, self.metrics, scores=scores)
        self.worker = Worker("rules", self.evaluation.run)

    def keep(self, alert: Alert) -> None:
        self.attempts += 1
        if self.broken.is_set():
            raise SinkError("disk full")
        time.sleep(self.slow)
        self.kept.append(alert)

    def end(self) -> None:
        self.worker.stop()
        assert self.worker.join(20)
        assert self.worker.error is None, self.worker.trace

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"streamwatch_{name}", labels)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def types(alerts: list[Alert]) -> list[AlertType]:
    return [alert.type for alert in alerts]


def test_alerts_are_kept_and_counted(stage: Stage) -> None:
    stage.worker.start()
    now = time.time()
    stage.evaluation.put(detection(now, 0.9))
    wait_for(lambda: types(stage.kept) == [AlertType.NEW])
    assert stage.value("incidents_active", camera="dock", rule="fight") == 1
    stage.end()
    assert types(stage.kept) == [AlertType.NEW, AlertType.END]
    assert stage.value("alerts_total", camera="dock", rule="fight", type="new") == 1
    assert stage.value("incidents_active", camera="dock", rule="fight") == 0


def test_a_shadow_rule_is_counted_and_never_kept(stage: Stage) -> None:
    stage.worker.start()
    stage.evaluation.put(detection(time.time(), 0.9))
    wait_for(lambda: stage.value("alerts_total", camera="dock", rule="tryout", type="new") == 1)
    stage.end()
    assert {alert.rule for alert in stage.kept} == {"fight"}


def test_what_was_put_before_the_stop_is_still_evaluated(stage: Stage) -> None:
    now = time.time()
    for i in range(QUEUE - 2):
        stage.evaluation.put(detection(now - QUEUE + i, 0.1))
    stage.evaluation.put(detection(now, 0.9))
    stage.worker.stop()
    stage.worker.start()
    stage.end()
    assert types(stage.kept) == [AlertType.NEW, AlertType.END]


def test_a_full_queue_blocks_and_does_not_drop(stage: Stage) -> None:
    now = time.time()
    count = QUEUE + 10

    def put(stop: threading.Event) -> None:
        for i in range(count):
            stage.evaluation.put(detection(now + i / 1000, 0.1))

    feeder = Worker("feeder", put)
    feeder.start()
    assert not feeder.join(0.3)
    stage.worker.start()
    assert feeder.join(20)
    stage.end()
    assert stage.value("stage_seconds_count", stage="rules") == count


def test_what_the_rules_thread_spends_is_counted(stage: Stage) -> None:
    spent, run = [0.0], stage.evaluation.run

    def timed(stop: threading.Event) -> None:
        began = time.thread_time()
        run(stop)
        spent[0] = time.thread_time() - began

    stage.worker = Worker("rules", timed)
    stage.worker.start()
    now = time.time()
    for i in range(1500):
        stage.evaluation.put(detection(now + i / 1000, 0.1))
    stage.end()
    assert stage.value("stage_seconds_sum", stage="rules") == pytest.approx(spent[0], rel=0.15, abs=0.005)


def test_time_passes_without_detections(stage: Stage) -> None:
    """An incident of a camera that fell silent ends by ticks alone."""
    stage.worker.start()
    at = time.time() - 60
    stage.evaluation.put(detection(at, 0.9))
    wait_for(lambda: AlertType.END in types(stage.kept))
    stage.end()


def test_a_gap_reaches_the_rules(stage: Stage) -> None:
    stage.worker.start()
    now = time.time()
    stage.evaluation.put(detection(now, 0.9))
    stage.evaluation.put(Gap("dock", now))
    wait_for(lambda: AlertType.END in types(stage.kept))
    stage.end()


def test_alerts_wait_while_the_store_cannot_be_written(stage: Stage) -> None:
    stage.broken.set()
    stage.worker.start()
    stage.evaluation.put(detection(time.time(), 0.9))
    wait_for(lambda: not stage.evaluation.storing)
    assert stage.kept == []
    stage.broken.clear()
    wait_for(lambda: stage.evaluation.storing)
    stage.end()
    assert types(stage.kept) == [AlertType.NEW, AlertType.END]


def test_alerts_that_no_store_took_before_the_end_are_counted(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.broken.set()
    stage.worker.start()
    stage.evaluation.put(detection(time.time(), 0.9))
    wait_for(lambda: not stage.evaluation.storing)
    stage.end()
    assert stage.value("alerts_dropped_total", reason="shutdown") == 2  # new and end
    assert "2 alerts could not be stored" in caplog.text


def test_a_full_backlog_loses_no_end_of_what_the_store_has(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.evaluation.BACKLOG", 4)
    stage.evaluation = Evaluation(book(), stage.keep, stage.metrics)
    stage.worker = Worker("rules", stage.evaluation.run)
    stage.worker.start()
    at = time.time() - 300
    stage.evaluation.put(detection(at, 0.9))
    wait_for(lambda: types(stage.kept) == [AlertType.NEW])
    stage.broken.set()
    for i in range(1, 30):
        stage.evaluation.put(detection(at + 2 * i, 0.1 if i % 2 else 0.9))
    stage.evaluation.replace(rules(), 20.0)
    stage.broken.clear()
    wait_for(lambda: stage.evaluation.storing)
    stage.end()
    assert types(stage.kept[:2]) == [AlertType.NEW, AlertType.END]
    assert stage.kept[0].id == stage.kept[1].id
    assert types(stage.kept) == [AlertType.NEW, AlertType.END] * (len(stage.kept) // 2)
    decided = sum(stage.value("alerts_total", camera="dock", rule="fight", type=kind) or 0 for kind in ("new", "end"))
    assert stage.value("alerts_dropped_total", reason="backlog_full") == decided - len(stage.kept) > 10


def test_a_store_that_fails_is_not_tried_with_each_detection(stage: Stage) -> None:
    stage.broken.set()
    stage.worker.start()
    now = time.time()
    for i in range(300):
        stage.evaluation.put(detection(now + i / 1000, 0.9))
    stage.evaluation.replace(rules(), 20.0)  # all of them were evaluated
    assert not stage.evaluation.storing
    assert stage.attempts <= 2 + (time.time() - now) / RETRY


def test_what_waited_for_the_store_does_not_hold_up_the_rules(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.evaluation.SLICE", 0.05)
    stage.broken.set()
    stage.worker.start()
    at = time.time() - 300
    for i in range(100):
        stage.evaluation.put(detection(at + 2 * i, 0.1 if i % 2 else 0.9))
    stage.evaluation.replace(rules(), 20.0)
    stage.slow = 0.02
    stage.broken.clear()
    wait_for(lambda: stage.kept)
    decided = sum(stage.value("alerts_total", camera="dock", rule="fight", type=kind) or 0 for kind in ("new", "end"))
    stage.evaluation.replace(rules(), 20.0)
    assert len(stage.kept) < decided - 10
    beats = set[float]()
    wait_for(lambda: len(stage.kept) >= decided or beats.add(stage.evaluation.beat))  # type: ignore[func-returns-value]
    assert len(beats) > 10
    stage.end()
    assert types(stage.kept)[:4] == [AlertType.NEW, AlertType.END] * 2


def test_a_store_that_is_back_in_time_at_the_end_loses_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.evaluation.FAREWELL", 15.0)  # a busy machine
    stage.broken.set()
    stage.worker.start()
    stage.evaluation.put(detection(time.time(), 0.9))
    wait_for(lambda: not stage.evaluation.storing)
    stage.worker.stop()
    wait_for(lambda: stage.value("alerts_total", camera="dock", rule="fight", type="end") == 1)
    stage.broken.clear()
    stage.end()
    assert types(stage.kept) == [AlertType.NEW, AlertType.END]


def test_put_does_not_hang_on_a_dead_stage(stage: Stage) -> None:
    stage.worker.start()
    stage.end()
    for _ in range(2 * QUEUE):
        stage.evaluation.put(detection(time.time(), 0.1))


def test_what_was_evaluated_is_logged(tmp_path: Path) -> None:
    stage = Stage(ScoreLog(tmp_path))
    now = time.time()
    put: list[Detection | Gap | CameraState] = [
        detection(now - 2, 0.1),
        Gap("dock", now - 1),
        CameraState("dock", "online", now),
        detection(now, 0.9),
    ]
    for item in put:
        stage.evaluation.put(item)
    stage.worker.start()
    wait_for(lambda: stage.kept)
    stage.end()
    assert list(read_rows(tmp_path)) == put


def test_which_rules_were_in_force_is_logged(tmp_path: Path) -> None:
    stage = Stage(ScoreLog(tmp_path))
    stage.worker.start()
    other = rules(RULES.replace("0.7", "0.8"))
    at = stage.evaluation.replace(other, 20.0)
    stage.end()
    first, second = read(tmp_path)
    assert (first.hash, first.rules) == (hash_of(rules()), 3)
    assert (second.hash, second.since) == (hash_of(other), at)


def test_a_score_log_that_cannot_be_written_holds_up_no_alert(tmp_path: Path) -> None:
    (tmp_path / "scores").write_text("in the way")
    lost: list[tuple[int, str]] = []
    stage = Stage(ScoreLog(tmp_path / "scores", on_drop=lambda rows, reason: lost.append((rows, reason))))
    stage.worker.start()
    stage.evaluation.put(detection(time.time(), 0.9))
    wait_for(lambda: types(stage.kept) == [AlertType.NEW])
    stage.end()
    assert types(stage.kept) == [AlertType.NEW, AlertType.END]
    assert lost == [(1, "write")]


def test_a_state_of_a_camera_reaches_the_rules(stage: Stage) -> None:
    stage.worker.start()
    stage.evaluation.put(CameraState("dock", "offline", time.time()))
    wait_for(lambda: stage.kept)
    stage.end()
    assert [(alert.rule, alert.type) for alert in stage.kept] == [("away", AlertType.NEW), ("away", AlertType.END)]


class TestReplace:
    CHANGED = RULES.replace("on: 0.7", "on: 0.8").replace("alert: away", "alert: missing")

    def test_comes_after_what_was_put_before(self, stage: Stage) -> None:
        stage.evaluation.put(detection(time.time(), 0.9))
        stage.worker.start()
        before = time.time()
        at = stage.evaluation.replace(rules(self.CHANGED), 20)
        assert before - 0.1 <= at <= time.time() + 0.1
        assert [(alert.rule, alert.type, alert.annotations.get("end_reason")) for alert in stage.kept] == [
            ("fight", AlertType.NEW, None),
            ("fight", AlertType.END, "changed"),
        ]
        assert stage.value("incidents_active", camera="dock", rule="fight") == 0
        stage.evaluation.put(detection(time.time(), 0.75))
        stage.evaluation.put(CameraState("dock", "offline", time.time()))
        stage.end()
        assert {alert.rule for alert in stage.kept[2:]} == {"missing"}

    def test_under_fire_loses_no_detection(self, stage: Stage) -> None:
        """Alternately high and low, a second apart: an incident each, whenever rules come and go beside."""
        began = time.time() - 3000
        stage.worker.start()

        def feed(stop: threading.Event) -> None:
            for second in range(2000):
                stage.evaluation.put(detection(began + second, 0.9 if second % 10 == 0 else 0.1))

        feeder = Worker("feeder", feed)
        feeder.start()
        count = 0
        while not feeder.join(0.001):
            stage.evaluation.replace(rules(RULES.replace("alert: tryout", f"alert: tryout-{count}")), 20)
            count += 1
        stage.end()
        assert feeder.error is None, feeder.trace
        fights = [alert for alert in stage.kept if alert.rule == "fight"]
        assert types(fights) == [AlertType.NEW, AlertType.END] * 200
        assert {alert.annotations.get("end_reason") for alert in fights} == {None, "ended"}
        assert count > 1

    def test_a_thread_that_does_not_answer_never_applies_it(self, stage: Stage) -> None:
        with pytest.raises(TimeoutError, match="does not answer"):
            stage.evaluation.replace(rules(self.CHANGED), 0.1)
        stage.worker.start()
        stage.evaluation.put(detection(time.time(), 0.75))
        stage.end()
        assert {alert.rule for alert in stage.kept} == {"fight"}

    def test_a_rule_that_still_fails_is_told_again(self, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
        broken = dataclasses.replace(detection(time.time(), 0.1), scores={})
        stage.worker.start()
        for _ in range(2):
            stage.evaluation.put(broken)
            stage.evaluation.put(broken)
            stage.evaluation.replace(rules(), 20)
        stage.end()
        assert [message.partition(";")[0] for message in caplog.messages if "rule fight" in message] == [
            "rule fight failed"
        ] * 2
        assert stage.value("rule_errors_total", rule="fight") == 4

    def test_a_full_queue_is_not_waited_for_without_end(self, stage: Stage) -> None:
        for i in range(QUEUE):
            stage.evaluation.put(detection(time.time() + i / 1000, 0.1))
        with pytest.raises(TimeoutError):
            stage.evaluation.replace((), 0.1)

    def test_a_thread_that_ended_is_not_waited_for(self, stage: Stage) -> None:
        stage.worker.start()
        stage.end()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            stage.evaluation.replace((), 20)
        assert time.monotonic() - began < 10


_KILLED = """
import sys, time
from pathlib import Path
from streamwatch.evaluation import Evaluation
from streamwatch.learnt import LearntFile
from streamwatch.metrics import Metrics
from streamwatch.sinks.store import SqliteOutbox
from streamwatch.worker import Worker
from tests.test_evaluation import book, detection

outbox = SqliteOutbox(Path(sys.argv[1]))
kept = []
evaluation = Evaluation(book(), lambda alert: kept.append(outbox.append(alert).alert.type), Metrics())
evaluation.end(outbox.left_open())
Worker("rules", evaluation.run).start()
evaluation.put(detection(time.time(), 0.9))
while "new" not in kept:
    time.sleep(0.01)
print("open", flush=True)
time.sleep(60)
"""


def test_what_a_killed_run_left_open_is_ended_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "alerts.db"
    root = Path(__file__).parents[1]
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", _KILLED, str(path)],
            stdout=subprocess.PIPE, cwd=root, env=os.environ | {"PYTHONPATH": str(root)},
        )  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        child.send_signal(signal.SIGKILL)
        child.wait(20)
        child.stdout.close()
    outbox = SqliteOutbox(path)
    metrics = Metrics()
    evaluation = Evaluation(book(), outbox.append, metrics)
    evaluation.end(outbox.left_open())
    worker = Worker("rules", evaluation.run)
    worker.start()
    wait_for(lambda: not outbox.left_open())
    worker.stop()
    assert worker.join(20)
    entries = outbox.alerts_after(0, 100)
    outbox.close()
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4]
    assert types([entry.alert for entry in entries]) == [AlertType.NEW, AlertType.END] * 2
    assert [e.alert.seq for e in entries] == [0, 1, 0, 1]
    assert [e.alert.annotations.get("end_reason") for e in entries] == [None, "restart"] * 2
    assert len({entry.alert.id for entry in entries}) == 2
    assert metrics.registry.get_sample_value(
        "streamwatch_incidents_active", {"camera": "dock", "rule": "fight"}
    ) == 0  # fmt: skip


def test_what_rules_learn_outlives_the_process(tmp_path: Path) -> None:
    text = "rules: [{alert: walk, when: {anomaly: 0.99, warm_up: 1h}}]"
    running = RuleBook(rules(text), salt="test")
    for t in range(0, 4000, 2):
        running.observe(dataclasses.replace(detection(1e9 + t, 0.1), motion=0.6))
    learnt = LearntFile(tmp_path)
    evaluation = Evaluation(running, lambda alert: None, Metrics(), learnt=learnt)
    worker = Worker("rules", evaluation.run)
    worker.start()
    worker.stop()
    assert worker.join(20)
    again = RuleBook(rules(text), salt="test")
    LearntFile(tmp_path).recall(again)
    assert again.learnt() == running.learnt() != ()

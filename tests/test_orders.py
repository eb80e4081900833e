"""Orders from any thread to the rules thread, and what is answered."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from streamwatch.errors import OrderError
from streamwatch.evaluation import ORDERS, Evaluation
from streamwatch.metrics import Metrics
from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.orders import Orders
from streamwatch.rules.alert import Alert, IncidentState
from streamwatch.rules.book import RuleBook
from streamwatch.rules.order import Acknowledge, Snooze, Snoozed
from streamwatch.rules.rule import parse_rules
from streamwatch.rules.vocabulary import Vocabulary
from streamwatch.worker import Worker

INFO = ModelInfo("tiny", "1", "0" * 64)
VOCABULARY = Vocabulary(frozenset({"fight"}), ("dock", "gate"), {})
RULE = {"alert": "fight", "when": {"event": "fight", "on": 0.7}, "no_data": "hold"}


class Stage:
    """Orders to a running evaluation."""

    def __init__(self) -> None:
        self.kept: list[Alert] = []
        self.answers: list[Mapping[str, object]] = []
        self.shown: list[Sequence[Snoozed]] = []
        self.metrics = Metrics()
        book = RuleBook(parse_rules({"rules": [RULE]}, "x", VOCABULARY), salt="test")
        self.evaluation = Evaluation(book, self.kept.append, self.metrics)
        self.orders = Orders(self.evaluation, ["dock", "gate"], self.answers.append, self.shown.append)
        self.worker = Worker("rules", self.evaluation.run)

    def detect(self, score: float, camera: str = "dock") -> None:
        now = time.time()
        self.evaluation.put(Detection(camera, now - 1, now, None, {"fight": score}, 0.0, 1.0, INFO))

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"streamwatch_{name}", labels)


@pytest.fixture
def stage() -> Iterator[Stage]:
    found = Stage()
    found.worker.start()
    yield found
    found.worker.stop()
    assert found.worker.join(20)
    assert found.worker.error is None, found.worker.trace


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_incident_is_acknowledged(stage: Stage) -> None:
    stage.detect(0.9)
    wait_for(lambda: stage.kept)
    (alert,) = stage.orders(Acknowledge(stage.kept[0].id, "Ann"))
    assert alert.state is IncidentState.ACKNOWLEDGED
    assert stage.kept[1:] == [alert]
    with pytest.raises(OrderError, match="already"):
        stage.orders(Acknowledge(alert.id))


def test_a_request_is_answered(stage: Stage) -> None:
    stage.orders.request(Acknowledge("01J"))
    stage.orders.request(Snooze("fight", "dock", span=60.0, by="Bob"))
    stage.orders.request(Snooze("fight", "dok", span=60.0))
    wait_for(lambda: len(stage.answers) == 3)
    unknown, snoozed, typo = sorted(stage.answers, key=lambda found: (found["order"], str(found.get("error", ""))))
    assert unknown == {
        "order": "acknowledge", "id": "01J", "by": "", "note": "", "done": False,
        "error": "no open incident has this id",
    }  # fmt: skip
    assert snoozed == {
        "order": "snooze", "rule": "fight", "camera": "dock", "until": None, "for": 60.0, "by": "Bob", "note": "",
        "done": True,
    }  # fmt: skip
    assert str(typo["error"]).startswith("no camera is named 'dok'; did you mean 'dock'")


def test_who_asks_may_hear_the_answer_in_the_place_of_all_others(stage: Stage) -> None:
    heard: list[Mapping[str, object]] = []
    stage.orders.request(Acknowledge("01J"), heard.append)
    stage.orders.request(Snooze("fight", "dok", span=60.0), heard.append)
    wait_for(lambda: len(heard) == 2)
    assert ({found["done"] for found in heard}, stage.answers) == ({False}, [])
    stage.orders.refuse(Acknowledge("01J", "Ann"), "nobody is there")
    (answer,) = stage.answers
    assert (answer["id"], answer["by"], answer["done"], answer["error"]) == ("01J", "Ann", False, "nobody is there")


def test_a_snooze_is_shown_counted_and_over_again(stage: Stage) -> None:
    wait_for(lambda: stage.shown == [()])
    stage.orders(Snooze("fight", None, span=600.0))
    wait_for(lambda: len(stage.shown) == 2)
    assert stage.value("rules_snoozed") == 1
    (line,) = stage.orders.degraded
    assert line.startswith("snoozed until 20")
    assert line.endswith("fight on every camera")
    stage.detect(0.9)
    wait_for(lambda: stage.value("alerts_withheld_total", reason="snoozed") == 1)
    assert stage.kept == []
    assert stage.value("incidents_active", camera="dock", rule="fight") == 1
    (alert,) = stage.orders(Snooze("fight", None, span=0.0))
    assert (alert.type.value, alert.seq) == ("new", 0)
    wait_for(lambda: len(stage.shown) == 3)
    assert (stage.kept, stage.orders.degraded, stage.value("rules_snoozed")) == ([alert], [], 0)


def test_an_order_does_not_wait_for_the_next_detection(stage: Stage) -> None:
    wait_for(lambda: stage.shown)
    began = time.monotonic()
    for _ in range(20):
        stage.orders(Snooze("fight", None, span=60.0))
    assert time.monotonic() - began < 10  # 20 s if each waited for a tick


def test_more_than_can_wait_are_refused() -> None:
    idle = Stage()  # its thread does not run
    for _ in range(ORDERS):
        idle.orders.request(Acknowledge("01J"))
    assert idle.answers == []
    with pytest.raises(OrderError, match="busy"):
        idle.orders(Acknowledge("01J"))


def test_those_that_wait_at_the_end_are_answered() -> None:
    late = Stage()
    late.worker.start()
    late.worker.stop()
    assert late.worker.join(20)
    with pytest.raises(OrderError, match="stopped"):
        late.orders(Acknowledge("01J"))


def test_orders_and_detections_from_many_threads(stage: Stage) -> None:
    def order() -> None:
        for _ in range(20):
            stage.orders(Snooze("fight", "gate", span=60.0))

    threads = [threading.Thread(target=order) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        stage.detect(0.1)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert len(stage.shown[-1]) == 1

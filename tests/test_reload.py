"""Rule files read again: answers, log, metrics; a faulty file changes nothing."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamwatch.config import load_config
from streamwatch.evaluation import Evaluation
from streamwatch.metrics import Metrics
from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.plan import draw_plan
from streamwatch.reload import Reload
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.rule import hash_of
from streamwatch.worker import Worker

RULES = """rules:
- {alert: brawl, when: {event: fight, on: 0.7}}
- {alert: tumble, when: {event: fall, on: 0.7}}
"""


class Site:
    """A rules thread at work on the rules of a file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "rules.yml"
        self.file.write_text(RULES)
        path = folder / "streamwatch.yml"
        path.write_text(f"cameras: [{{name: dock, url: 'rtsp://h'}}]\nrules: [{self.file}]")
        config = load_config(path)
        plan = draw_plan(config)
        self.kept: list[Alert] = []
        self.answers: list[dict[str, object]] = []
        self.metrics = Metrics()
        evaluation = Evaluation(RuleBook(plan.rules, salt="test"), self.kept.append, self.metrics)
        self.put = evaluation.put
        self.worker = Worker("rules", evaluation.run)
        self.reload = Reload(config, plan, evaluation, self.metrics, self.answers.append)

    def count(self, result: str) -> float | None:
        return self.metrics.registry.get_sample_value("streamwatch_rules_reloads_total", {"result": result})

    def loaded(self) -> float | None:
        return self.metrics.registry.get_sample_value("streamwatch_rules_loaded_timestamp_seconds")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.worker.start()
    yield site
    site.worker.stop()
    assert site.worker.join(20)
    assert site.worker.error is None, site.worker.trace


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fight(at: float, score: float) -> Detection:
    scores = {"fight": score, "fall": 0.0}
    return Detection("dock", at - 1, at, None, scores, 0.0, 1.0, ModelInfo("tiny", "1", "0" * 64))


def test_what_changed_is_in_force_and_told(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.put(fight(time.time(), 0.9))
    site.file.write_text(RULES.replace("tumble", "slip").replace("on: 0.7", "on: 0.8", 1))
    with caplog.at_level(logging.INFO, "streamwatch.reload"):
        answer = site.reload()
    assert set(answer) == {"applied", "rules", "hash", "time"}
    assert (answer["applied"], answer["rules"]) == (True, 2)
    assert answer["hash"] == hash_of(site.reload.rules)
    assert abs(float(str(answer["time"])) - time.time()) < 20
    assert site.answers == [answer]
    assert [str(alert.annotations.get("end_reason")) for alert in site.kept] == ["None", "changed"]
    assert [rule.name for rule in site.reload.rules] == ["brawl", "slip"]
    expected = f"rules reloaded: 2 in force, hash {answer['hash']}; added slip; changed brawl; removed tumble"
    assert caplog.messages == [expected]
    assert (site.count("applied"), site.count("refused")) == (1, 0)
    assert abs((site.loaded() or 0) - time.time()) < 20


def test_the_same_files_change_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.put(fight(time.time(), 0.9))
    with caplog.at_level(logging.INFO, "streamwatch.reload"):
        first, second = site.reload(), site.reload()
    assert first["hash"] == second["hash"]
    assert all(message.endswith("; unchanged") for message in caplog.messages)
    assert [alert.type.value for alert in site.kept] == ["new"]


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        (RULES.replace("fight", "fihgt").replace("on: 0.7", "onn: 0.7"), ["did you mean 'on'"]),
        (RULES.replace("event: fight", "event: fihgt").replace("event: fall", "event: fal"), ["'fight'", "'fall'"]),
        (RULES.replace("tumble", "brawl"), ["is used twice"]),
        ("rules: [", ["rules.yml"]),
        ("", ["must be a mapping"]),
        (None, ["no such file"]),
    ],
)
def test_a_faulty_file_changes_nothing(
    site: Site, text: str | None, errors: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = site.reload.rules
    site.put(fight(time.time(), 0.9))
    site.file.unlink()
    if text is not None:
        site.file.write_text(text)
    answer = site.reload()
    assert (set(answer), answer["applied"]) == ({"applied", "errors"}, False)
    lines = answer["errors"]
    assert isinstance(lines, list)
    assert all(any(error in line for line in lines) for error in errors), lines
    assert not any("\n" in line for line in lines)
    (message,) = caplog.messages
    assert message == f"rules not reloaded, the 2 in force stay: {'; '.join(lines)}"
    assert (site.reload.rules, site.answers, site.loaded()) == (before, [answer], 0)
    assert (site.count("applied"), site.count("refused")) == (0, 1)
    wait_for(lambda: site.kept)
    site.file.write_text(RULES)
    assert site.reload()["applied"]
    assert [alert.type.value for alert in site.kept] == ["new"]


def test_many_faults_are_cut_short(site: Site) -> None:
    entries = "".join(f"- {{alert: a{i}, when: {{event: none, on: 0.5}}}}\n" for i in range(200))
    site.file.write_text("rules:\n" + entries)
    lines = site.reload()["errors"]
    assert isinstance(lines, list)
    assert (len(lines), lines[-1]) == (51, "… and 150 more")


def test_a_request_is_done_by_the_next_turn(site: Site) -> None:
    site.reload.turn()
    assert site.answers == []
    began = time.monotonic()
    for _ in range(3):
        site.reload.request()
    assert time.monotonic() - began < 1
    assert site.answers == []
    site.reload.turn()
    site.reload.turn()
    assert len(site.answers) == 1


def test_several_threads_may_ask(site: Site) -> None:
    threads = [threading.Thread(target=site.reload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [answer["applied"] for answer in site.answers] == [True] * 4


def test_a_rules_thread_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamwatch.reload._LIMIT", 0.1)
    site = Site(tmp_path)  # not started
    assert site.reload() == {"applied": False, "errors": ["the rules thread does not answer"]}
    assert site.count("refused") == 1

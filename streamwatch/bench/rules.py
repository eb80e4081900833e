"""How many detections rules can take, alone, on one core."""

import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamwatch.backtest import ScoreFolder, backtest
from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.rules.book import RuleBook
from streamwatch.rules.rule import parse_rules
from streamwatch.rules.vocabulary import Vocabulary
from streamwatch.sinks.scores import ScoreLog

__all__ = [
    "DAY",
    "RuleFigures",
    "compare_with_library",
    "measure_backtest",
    "measure_rules",
    "simple_rules",
    "timed_rules",
]

DAY = 86_400
LASTS = 600  # seconds of the streams: what counts within ten minutes comes round once
CAMERAS = 100
EVENTS = ("fall", "fight", "shoplifting")
T0 = 1_767_571_200.0  # a Monday, UTC
_MODEL = ModelInfo("bench", "1", "0" * 64)
ROUNDS = 3  # at least, of each
_EPISODE = 6  # seconds that a high score lasts
_RATE = 1 / 600  # episodes that begin a second and camera, in the mixed stream: one in ten minutes
Document = dict[str, list[dict[str, object]]]


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """Detections a second and core through 20 rules on 100 cameras, where nothing happens (``quiet``) and where on
    each camera something does every ten minutes (``mixed``), with thresholds alone and with operators over time.
    """

    quiet: float
    mixed: float
    quiet_over_time: float
    mixed_over_time: float


def simple_rules(count: int = 20) -> Document:
    """Thresholds with hysteresis."""
    rules: list[dict[str, object]] = []
    for i in range(count):
        on = 0.6 + 0.015 * i
        when = {"event": EVENTS[i % len(EVENTS)], "on": on, "off": on - 0.2}
        rules.append({"alert": f"simple_{i}", "when": when, "for": "1s", "keep_firing_for": "3s"})
    return {"rules": rules}


def timed_rules() -> Document:
    """20 rules, of them 12 with operators over time."""
    fall, fight = {"event": "fall", "on": 0.8, "off": 0.6}, {"event": "fight", "on": 0.7, "off": 0.5}
    conditions: list[dict[str, object]] = [
        {"k_of_n": fight, "at_least": 3, "of": 5},
        {"count": fight, "in": "10m", "at_least": 3},
        {"sequence": [fight, fall], "within": "1m"},
        {"all": [fall, {"absent": fight, "for": "20s"}]},
        {"any": [fall, {"all": [fight, {"motion": 2, "off": 1}]}]},
        {"all": [fall, {"schedule": ["22:00-06:00"], "timezone": "UTC"}]},
    ]
    rules = simple_rules(8)
    for i, when in enumerate(conditions * 2):
        rules["rules"].append({"alert": f"timed_{i}", "when": when, "for": f"{1 + i // 6}s", "cooldown": "30s"})
    return rules


def measure_rules(seconds: float) -> RuleFigures:
    """Takes about ``seconds``, or ROUNDS rounds, and some more to make the detections."""
    cameras = [f"cam-{i}" for i in range(CAMERAS)]
    quiet, mixed = [list(_stream(cameras, LASTS, rate)) for rate in (0.0, _RATE)]
    each = seconds / 4
    return RuleFigures(
        *(_rate(rules, stream, cameras, each) for rules in (simple_rules(), timed_rules()) for stream in (quiet, mixed))
    )


def measure_backtest(days: int, cameras: int, seconds: int = DAY) -> tuple[float, int]:
    """CPU seconds to backtest a log of so many days of ``seconds`` and cameras, 20 rules; and its detections.

    The log is written to disk as a live one, in blocks of some 50 s, and read from there, as `rules backtest` does.
    """
    with tempfile.TemporaryDirectory(prefix="streamwatch-bench-") as name:
        folder, rules = Path(name) / "scores", Path(name) / "rules.yml"
        rules.write_text(json.dumps(timed_rules()))
        names = [f"cam-{i}" for i in range(cameras)]
        log = ScoreLog(folder)
        for day in range(days):
            for detection in _stream(names, seconds, 1 / 7200, seed=day, start=T0 + day * DAY):
                log.add(detection)
                if detection.camera == names[-1]:
                    log.tick(detection.end)
        log.close()
        began = time.process_time()
        report = backtest(ScoreFolder(folder), [rules])
        took = time.process_time() - began
    return took, sum(camera["detections"] for camera in report["cameras"])


def compare_with_library(seconds: float) -> float | None:
    """How many times faster than rule-engine (PyPI) on 20 plain thresholds; None where it is not installed.

    It is given less to do: it knows neither time nor hysteresis, keeps nothing and makes no alert.
    """
    try:
        import rule_engine
    except ModuleNotFoundError:
        return None
    cameras = [f"cam-{i}" for i in range(CAMERAS)]
    stream = list(_stream(cameras, 200, _RATE))
    rows: list[Mapping[str, float]] = [detection.scores for detection in stream]
    texts = [f"{EVENTS[i % len(EVENTS)]} >= {0.6 + 0.015 * i}" for i in range(20)]
    rules = [rule_engine.Rule(text) for text in texts]

    def theirs() -> int:
        for row in rows:
            for rule in rules:
                rule.matches(row)
        return len(rows)

    return _rate(simple_rules(), stream, cameras, seconds / 2) / _repeat(theirs, seconds / 2)


def _rate(rules: Document, stream: Sequence[Detection], cameras: Sequence[str], seconds: float) -> float:
    """Detections a CPU second. A fresh book each time: the stream's time does not run backwards."""
    site = Vocabulary(frozenset(EVENTS), tuple(cameras), {})
    parsed = parse_rules(rules, "bench", site)

    def ours() -> int:
        book, alerts, second = RuleBook(parsed, salt="bench"), 0, 0.0
        for detection in stream:
            alerts += len(book.observe(detection))
            if detection.end != second:
                second = detection.end
                alerts += len(book.tick(second))
        return len(stream)

    return _repeat(ours, seconds)


def _repeat(call: Callable[[], int], seconds: float) -> float:
    """What ``call`` gets done in a CPU second, the most of ROUNDS or more: others slow one down by half at times."""
    best, rounds, end = 0.0, 0, time.perf_counter() + seconds
    while rounds < ROUNDS or time.perf_counter() < end:
        rounds += 1
        began = time.process_time()
        done = call()
        best = max(best, done / max(1e-9, time.process_time() - began))
    return best


def _stream(cameras: Sequence[str], seconds: int, rate: float, seed: int = 1, start: float = T0) -> Iterator[Detection]:
    """One detection a second and camera; high scores begin at ``rate`` a second and last some seconds.

    Scores and motion are noisy as real ones are, lest a log of them be packed to nothing.
    """
    chance = random.Random(seed)
    high = dict.fromkeys(cameras, ("", 0))
    for second in range(seconds):
        at = start + second
        for camera in cameras:
            event, left = high[camera]
            if left == 0 and chance.random() < rate:
                event, left = chance.choice(EVENTS), _EPISODE
            scores = {name: 0.95 if left and name == event else 0.1 * chance.random() for name in EVENTS}
            high[camera] = event, max(0, left - 1)
            yield Detection(camera, at - 16, at, None, scores, 3.0 if left else 0.2 * chance.random(), 1.0, _MODEL)

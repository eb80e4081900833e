"""Short ways to say a rule, to play scores to it and to read what it answered."""

from collections.abc import Iterable, Mapping

from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.rules.alert import Alert
from streamwatch.rules.book import RuleBook
from streamwatch.rules.condition import Condition
from streamwatch.rules.operators import parse_condition
from streamwatch.rules.rule import Rule, parse_rules
from streamwatch.rules.vocabulary import Vocabulary

T0 = 1_700_000_000.0
MODEL = ModelInfo("tiny", "3", "ab" * 32)
SITE = Vocabulary(
    events=frozenset({"fight", "fall", "shoplifting"}),
    cameras=("dock", "ward-1", "ward-2"),
    zones={"dock": frozenset({"gate", "ramp"}), "ward-1": frozenset({"bed"}), "ward-2": frozenset()},
)
FALL: Mapping[str, object] = {"event": "fall", "on": 0.8, "off": 0.6}


def detection(
    at: float, fall: float = 0.0, camera: str = "dock", zone: str | None = None, **scores: float
) -> Detection:
    """Scores at ``at`` seconds after T0."""
    motion = scores.pop("motion", 0.1)
    every = {"fall": fall, "fight": 0.0, "shoplifting": 0.0} | scores
    return Detection(camera, T0 + at - 16, T0 + at, zone, every, motion, 1.0, MODEL)


def rules(*entries: Mapping[str, object]) -> tuple[Rule, ...]:
    """Rules of the test site; each entry is a rule as in a file, by default ``alert: fall`` when FALL."""
    return parse_rules({"rules": [{"alert": "fall", "when": FALL} | dict(e) for e in entries]}, "test.yml", SITE)


def book(*entries: Mapping[str, object], lateness: float = 0.0) -> RuleBook:
    """A book of such rules that expects no late detection."""
    return RuleBook(rules(*entries), salt="site", lateness=lateness)


def condition(when: object) -> Condition:
    """``when`` at work on camera dock."""
    return parse_condition(when, "test.yml: when", SITE, ("dock",)).start()


def play(running: RuleBook, scores: Iterable[tuple[float, float]]) -> list[Alert]:
    """What ``running`` answers to (time, score of fall) pairs."""
    return [alert for at, score in scores for alert in running.observe(detection(at, score))]


def marks(when: object, *rows: str) -> str:
    """What ``when`` says each second, ``#`` yes, ``.`` no, ``?`` unknown; ``rows`` are scores of fall, fight, motion
    likewise (``#`` 0.9, ``.`` 0.05, blank in the first: no detection).
    """
    running, answers = condition(when), ""
    levels = {"#": 0.9, ".": 0.05}
    for second, column in enumerate(zip(*rows, strict=True)):
        if column[0] == " ":
            answers += " "
            continue
        fall, fight, motion = ([levels.get(mark, 0.05) for mark in column] + [0.05, 0.05])[:3]
        answers += {True: "#", False: ".", None: "?"}[
            running.observe(detection(second, fall, fight=fight, motion=motion))
        ]
    return answers


def brief(alerts: Iterable[Alert]) -> list[tuple[str, float]]:
    """(type, seconds after T0) of each."""
    return [(alert.type.value, round(alert.time - T0, 6)) for alert in alerts]

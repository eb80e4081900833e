"""What hosts and site tell each other goes through Ray's pickle unchanged, and is small."""

import pickle

from streamwatch.cluster.report import Picture, Reply, Report, Standing, Welcome
from streamwatch.models.detection import CameraState, Detection, Gap, ModelInfo
from streamwatch.rules.order import Acknowledge
from streamwatch.sinks.outbox import Entry
from tests.rules.play import FALL, rules
from tests.sinks.stage import make_alert

MODEL = ModelInfo("bundled", "1", "0" * 64)


def row(number: int, at: float = 1_700_000_000.0) -> Detection:
    scores = {"fall": 0.123456789, "fight": 0.2, "shoplifting": 0.001 * number}
    return Detection(f"cam-{number}", at - 16.0, at, None, scores, 1.25 + number, 1.0, MODEL)


def test_a_report_arrives_as_it_was_sent() -> None:
    standing = Standing("north", 7, 1.5, {"dock": 3}, {"dock": 0.07}, 0.5, 4.0, "127.0.0.1:9108", True)
    entry = Entry(3, make_alert(), 2.0)
    rows = (row(1), Gap("dock", 1.0), CameraState("dock", "offline", 1.0))
    report = Report(
        standing, "ab", (entry,), rows, {"dock": "online"}, (Picture("dock", "fall", b"jpeg"),), ((5, {"a": 1}),)
    )
    assert pickle.loads(pickle.dumps(report)) == report


def test_rules_arrive_as_they_were_parsed() -> None:
    welcome = Welcome("site", rules({"for": "2s"}, {"alert": "calm", "when": {"not": FALL}}))
    there: Welcome = pickle.loads(pickle.dumps(welcome))
    assert [(rule.name, rule.rule_hash) for rule in there.rules] == [(r.name, r.rule_hash) for r in welcome.rules]
    reply = Reply({"dock": 4}, frozenset({"dock"}), None, ((7, Acknowledge("01X")),), True)
    assert pickle.loads(pickle.dumps(reply)) == reply


def test_a_detection_more_costs_little() -> None:
    one, many = (
        len(pickle.dumps(Report(Standing("n", 1, 1.0), rows=[row(n) for n in range(count)]))) for count in (1, 101)
    )
    assert (many - one) / 100 < 150  # bytes; the names of the events are sent once

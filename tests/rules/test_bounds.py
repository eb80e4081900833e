"""What the rules remember is bounded by rules, cameras and zones, not by time.

STREAMWATCH_DETECTIONS sets of how many detections (20,000 if unset).
"""

import os
import pickle
import random

from streamwatch.rules.book import RuleBook
from tests.rules.play import FALL, T0, book, detection
from tests.rules.test_condition import EXAMPLES

DETECTIONS = int(os.environ.get("STREAMWATCH_DETECTIONS", "20000"))
OFTEN = [{"count": 9, "in": "30d", "severity": "critical"}]
RULES = [
    {"alert": f"r-{i}", "when": when if "on_cameras" in when else {"any": [when, FALL]}, "escalate": OFTEN}
    for i, when in enumerate(EXAMPLES.values())
]
GROUPED: dict[str, object] = {"alert": "grouped", "when": FALL, "group_by": ["rule"]}


def size_at_rest(running: RuleBook, at: float) -> int:
    """Bytes of ``running`` without what is open."""
    copy: RuleBook = pickle.loads(pickle.dumps(running))
    copy.close(at, "done")
    return len(pickle.dumps(copy))


def test_what_is_remembered_does_not_grow_with_time() -> None:
    running = book(*RULES, GROUPED)
    chance = random.Random(1)
    sizes, at_rest = [], []
    alerts = 0
    for t in range(DETECTIONS):
        zone = chance.choice([None, None, "gate"])
        levels = {"fall": chance.random(), "fight": chance.random(), "motion": chance.random()}
        camera = "dock" if zone else chance.choice(["dock", "ward-1"])
        alerts += len(running.observe(detection(t, camera=camera, zone=zone, **levels)))
        if t % (DETECTIONS // 40) == 0:
            running.gap("dock", T0 + t)
            running.camera("dock", chance.choice(["online", "offline"]), T0 + t)
            sizes.append(len(pickle.dumps(running)))
            at_rest.append(size_at_rest(running, T0 + t))
        running.tick(T0 + t)
    assert alerts > 10_000
    assert max(at_rest[12:]) < max(at_rest[4:12]) + 500  # bytes; a single alert is larger
    assert max(sizes) < 1.1 * max(sizes[4:12])  # how many incidents are open is chance

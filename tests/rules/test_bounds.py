"""What the rules remember is bounded by rules, cameras and zones, not by time."""

import random
import tracemalloc

from tests.rules.play import FALL, T0, book, detection
from tests.rules.test_condition import EXAMPLES

WARM, LONG = 2_000, 10_000
RULES = [
    {"alert": f"r-{i}", "when": {"any": [when, FALL]}, "escalate": [{"count": 9, "in": "30d", "severity": "critical"}]}
    for i, when in enumerate(EXAMPLES.values())
]


def test_memory_does_not_grow_with_time() -> None:
    running = book(*RULES)
    chance = random.Random(1)

    def feed(start: int, end: int) -> int:
        count = 0
        for t in range(start, end):
            zone = chance.choice([None, None, "gate"])
            levels = {"fall": chance.random(), "fight": chance.random(), "motion": chance.random()}
            count += len(running.observe(detection(t, camera="dock", zone=zone, **levels)))
            if t % 500 == 0:
                running.gap("dock", T0 + t)
                running.camera("dock", chance.choice(["online", "offline"]), T0 + t)
            running.tick(T0 + t)
        return count

    tracemalloc.start()
    feed(0, WARM)
    before = tracemalloc.get_traced_memory()[0]
    assert feed(WARM, LONG) > 1000
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 30_000  # bytes; each alert alone is larger than 500

"""``decode: auto`` against ``decode: all``: the same recordings through both, at full speed, by the live code.

    python tests/bench/compare_decode.py FILE.mp4 … [--json out.json]

For each file: the incidents that the shipped rules find both ways (event@seconds of media time), the share of packets
that auto decodes, how many seconds were still, the largest difference of a score, CPU a camera-second of both ways (to
decode, scale, encode, score and evaluate; no network). Ends with 1 if an incident is missing or opens over 1 s later.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from streamwatch.metrics import Metrics
from streamwatch.models.inference import Inference
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.offline import source_url
from streamwatch.plan import shipped_rules
from streamwatch.rules.alert import AlertType
from streamwatch.rules.book import RuleBook
from streamwatch.rules.loading import load_rules
from streamwatch.rules.vocabulary import Vocabulary
from streamwatch.video.camera import read_clips
from streamwatch.video.picture import Tally
from streamwatch.video.stillness import Stillness
from streamwatch.video.window import ClipTiming

LATER = 1.0  # seconds that an incident may open later


@dataclass
class Run:
    """What one way of decoding gave."""

    incidents: list[tuple[str, float]] = field(default_factory=list)
    scores: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    clips: int = 0
    still: int = 0
    packets: int = 0
    decoded: int = 0
    cpu: float = 0.0


def watch(path: str, model: OnnxModel, stillness: Stillness | None) -> Run:
    """``path`` through decoder, model and rules; with ``stillness`` on demand."""
    card, run, tally = model.card, Run(), Tally()
    timing = ClipTiming(card.size, card.frames, card.clip_seconds, card.stride_seconds)
    vocabulary = Vocabulary(frozenset(card.events), ("feed",), {})
    book = RuleBook(load_rules([shipped_rules()], vocabulary), salt="")
    inference = Inference(model, {}, Metrics())
    began = time.thread_time()
    for clip in read_clips(source_url(path), timing, "feed", 0.0, stillness, tally):
        run.clips += 1
        run.still += clip.still == 1.0
        run.states.append(stillness.state if stillness is not None else "all")
        for detection in inference.process([clip]):
            run.scores.append((detection.end, dict(detection.scores)))
            for alert in book.observe(detection):
                if alert.type is AlertType.NEW and alert.event in card.events:
                    run.incidents.append((alert.event, alert.time))
    run.cpu = time.thread_time() - began
    run.packets, run.decoded = tally.packets, tally.frames
    return run


def lost(every: Run, auto: Run) -> list[str]:
    """Incidents of ``every`` that ``auto`` has not, or later than LATER."""
    left, missing = list(auto.incidents), []
    for event, at in every.incidents:
        match = next((x for x in left if x[0] == event and at - 3.0 <= x[1] <= at + LATER), None)
        if match is None:
            missing.append(f"{event}@{at:.1f}")
        else:
            left.remove(match)
    return missing


def main() -> int:
    """Compare and print one line a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    model = OnnxModel(load_pack("bundled"), "cpu")
    report, failed = [], 0
    for path in arguments.files:
        every, auto = watch(path, model, None), watch(path, model, Stillness())
        missing = lost(every, auto)
        pairs = zip(every.scores, auto.scores, strict=False)
        difference = max((abs(a[e] - b[e]) for (_, a), (_, b) in pairs for e in a), default=0.0)
        failed += bool(missing)
        row = {
            "file": Path(path).stem,
            "all": [f"{event}@{at:.1f}" for event, at in every.incidents],
            "auto": [f"{event}@{at:.1f}" for event, at in auto.incidents],
            "missing": missing,
            "clips": [every.clips, auto.clips],
            "still": round(auto.still / max(1, auto.clips), 3),
            "decoded": round(auto.decoded / max(1, auto.packets), 3),
            "difference": round(difference, 3),
            "cpu_ms": [round(run.cpu / max(1, run.clips) * 1e3, 1) for run in (every, auto)],
            "ended": auto.states[-1] if auto.states else "",
        }
        report.append(row)
        print(json.dumps(row), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

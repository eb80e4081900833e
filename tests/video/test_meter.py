"""What a camera's thread has counted becomes metrics, once."""

import pytest

from streamwatch.metrics import Metrics
from streamwatch.video.cutter import Cutter
from streamwatch.video.meter import Meter
from streamwatch.video.picture import Tally
from streamwatch.video.stillness import Stillness
from streamwatch.video.window import ClipTiming


class Counted:
    """A meter, and what it shows."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.cutter = Cutter("dock", ClipTiming(size=8))
        self.meter = Meter(self.metrics, "dock", self.cutter)
        self.meter.begin()

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"streamwatch_{name}", labels) or 0.0


def test_what_was_counted_is_moved_and_begun_again() -> None:
    counted, tally = Counted(), Tally(packets=25, frames=20, errors=2, skipped=5, decode_seconds=0.3)
    counted.cutter.scale_seconds = 0.1
    counted.meter.read(tally)
    counted.meter.read(tally)
    names = ("packets_received", "frames_decoded", "decode_errors", "packets_skipped")
    assert [counted.value(f"{name}_total", camera="dock") for name in names] == [25, 20, 2, 5]
    assert counted.value("stage_seconds_sum", stage="decode") == pytest.approx(0.3)
    assert counted.value("stage_seconds_sum", stage="scale") == pytest.approx(0.1)
    assert counted.value("stage_seconds_count", stage="receive") == 2
    assert counted.value("stage_seconds_count", stage="decode") == 1


def test_it_reads_once_a_second() -> None:
    counted, tally = Counted(), Tally(packets=1)
    for tenth in range(100, 131):
        tally.packets += 1
        counted.meter.turn(tenth / 10, tally, None)
    assert counted.value("stage_seconds_count", stage="receive") == 4
    assert counted.value("packets_received_total", camera="dock") == 32


def test_what_decoding_on_demand_makes_of_the_camera_is_one_state() -> None:
    counted, stillness = Counted(), Stillness()
    for state in ("learning", "still"):
        stillness.state = state
        counted.meter.read(Tally(), stillness)
        assert counted.value("decode_state", camera="dock", state=state) == 1
    assert counted.value("decode_state", camera="dock", state="learning") == 0

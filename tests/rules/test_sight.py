"""Coverage, one detection after another or many at once."""

from hypothesis import given
from hypothesis import strategies as st

from streamwatch.models.detection import ModelInfo
from streamwatch.rules.lull import Lull, Passed
from streamwatch.rules.sight import Coverage, Sight

MODEL = ModelInfo("tiny", "3", "")


def seen(*times: float) -> Sight:
    sight = Sight()
    for at in times:
        sight.see(at)
    return sight


def test_what_is_seen_without_a_break_counts() -> None:
    assert seen(100, 101, 102.5).coverage("dock") == Coverage("dock", 100, 102.5, 3, 0, 2.5, 0.0, None)


def test_a_silence_does_not_count_and_is_told() -> None:
    assert seen(100, 101, 131, 133).coverage("dock") == Coverage("dock", 100, 133, 4, 0, 3.0, 30.0, 101)


def test_a_clock_set_back_begins_anew() -> None:
    sight = seen(100, 110, 50, 52)
    sight.gap()
    assert sight.coverage("dock") == Coverage("dock", 50, 110, 4, 1, 12.0, 0.0, None)


def test_what_is_late_is_counted_only() -> None:
    assert seen(100, 105, 103, 104).coverage("dock") == Coverage("dock", 100, 105, 4, 0, 5.0, 0.0, None)


@given(st.lists(st.sampled_from([0.0, 0.1, 1.0, 9.9]), min_size=1, max_size=30), st.floats(0, 1))
def test_a_lull_counts_like_its_detections(steps: list[float], share: float) -> None:
    times = [1.7e9 + sum(steps[: i + 1]) for i in range(len(steps))]
    cut = int(share * len(times))
    sight = seen(*times[:cut])
    if times[cut:]:
        here = Passed(None, times[cut:], [0.1] * (len(times) - cut))
        sight.pass_over(Lull("dock", times[cut], times[-1], MODEL, (here, Passed("gate", [1.7e9, 1.8e9], [0.1, 0.1]))))
    assert sight.coverage("dock") == seen(*times).coverage("dock")

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streamwatch.evidence.timeline import LOOK, Line, Order
from streamwatch.video.packets import Codec, Packet, Run

TICKS = Codec("h264", b"", Fraction(1, 10))


def packet(pts: int, run: Run | None = None) -> Packet:
    return Packet(1, run or Run(TICKS, 0.0), pts, False, b"", 0.0)


def ordered(shown: list[int]) -> list[tuple[int, int]]:
    order, found = Order(), []
    for pts in shown:
        found += order.put(pts, packet(pts))
    found += order.rest()
    return [(pts, dts) for pts, dts, _ in found]


def test_without_b_frames_a_packet_is_decoded_when_it_is_shown() -> None:
    assert ordered(list(range(0, 400, 10))) == [(pts, pts) for pts in range(0, 400, 10)]


def test_with_b_frames_the_first_is_decoded_before_it_is_shown() -> None:
    shown = [0, 30, 10, 20, 60, 40, 50]
    found = ordered(shown)
    assert [pts for pts, _ in found] == shown
    assert [dts for _, dts in found] == [-10, 0, 10, 20, 30, 40, 50]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 50))
def test_whatever_comes_can_be_muxed(swaps: list[int], twice: int) -> None:
    """Times of decoding rise and never lie after those of showing, even where a camera mixes up its times."""
    shown = [10 * n for n in range(len(swaps))]
    for i, swap in enumerate(swaps):
        j = min(i + swap, len(shown) - 1)
        shown[i], shown[j] = shown[j], shown[i]
    shown.insert(min(twice, len(shown)), shown[0])
    found = ordered(shown)
    assert len(found) == len(shown)
    assert all(dts <= pts for pts, dts in found)
    assert all(one < two for (_, one), (_, two) in pairwise(found))


def test_it_looks_no_further_ahead_than_a_decoder_would() -> None:
    order = Order()
    assert [len(order.put(pts, packet(pts))) for pts in range(LOOK + 2)] == [0] * LOOK + [1, 1]


def test_each_run_is_laid_where_utc_says() -> None:
    first, second = Run(TICKS, 1000.0), Run(TICKS, 500.0)
    line = Line(packet(50, first))
    assert line.at(packet(50, first)) == 0
    assert line.at(packet(60, first)) == 90_000
    assert line.at(packet(5100, second)) == 5 * 90_000  # UTC 1010, five seconds after the first
    assert line.at(packet(5110, second)) == 6 * 90_000

"""Blocks: lossless for whatever may come, small for what does come, and never believed when damaged."""

import struct
from itertools import pairwise
from math import inf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamwatch.models.detection import CameraState, Detection, Gap, ModelInfo
from streamwatch.sinks.score_block import MAGIC, Row, decode, encode, join, peek, time_of

MODEL = ModelInfo("tiny", "3", "ab" * 32)
EVENTS = ("fight", "fall")

anything = st.floats(allow_nan=True, allow_infinity=True)
detections = st.builds(
    lambda start, end, zone, scores, motion, filled: Detection(
        "dock", start, end, zone, dict(zip(EVENTS, scores, strict=True)), motion, filled, MODEL
    ),
    anything,
    anything,
    st.sampled_from([None, "gate", "ramp", "süd"]),
    st.tuples(anything, anything),
    anything,
    anything,
)
states = st.builds(CameraState, st.just("dock"), st.sampled_from(["online", "offline"]), anything)
rows = st.lists(st.one_of(detections, st.builds(Gap, st.just("dock"), anything), states), min_size=1, max_size=40)


def bits(row: Row) -> tuple[object, ...]:
    """All of a row, floats as bits: NaN equals itself, and -0 is not 0."""
    if isinstance(row, Gap | CameraState):
        return (type(row), row.camera, getattr(row, "state", ""), struct.pack("<d", row.at))
    numbers = (row.start, row.end, row.motion, row.filled, *row.scores.values())
    return (row.camera, row.zone, row.model, tuple(row.scores), struct.pack(f"<{len(numbers)}d", *numbers))


def stream(count: int) -> list[Row]:
    """What a camera gives: a score a second, times of a 90 kHz clock, smooth scores."""
    chance = np.random.default_rng(3)
    scores = 1 / (1 + np.exp(4 - chance.normal(0, 0.3, (count, 2)).cumsum(axis=0) / 5))
    return [
        Detection(
            "dock", 1.7e9 + i - 15, 1.7e9 + i, None, dict(zip(EVENTS, map(float, s), strict=True)), 0.5, 1.0, MODEL
        )
        for i, s in enumerate(scores)
    ]


@given(rows)
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read(given_rows: list[Row]) -> None:
    data = encode(given_rows)
    block, end = decode(data)
    assert end == len(data)
    if any(isinstance(row, Detection) for row in given_rows):
        assert block.model == MODEL
        assert block.events == EVENTS
    assert [bits(row) for row in block.rows()] == [bits(row) for row in given_rows]
    assert block.detections().tolist() == [isinstance(row, Detection) for row in given_rows]
    assert peek(data) == (block.events, block.zones, len(data))


def test_columns_are_arrays() -> None:
    block, _ = decode(encode([*stream(5), Gap("dock", 1.7e9 + 9)]))
    assert block.scores.shape == (2, 6)
    assert block.end.tolist() == [1.7e9 + i for i in (0, 1, 2, 3, 4, 9)]
    assert block.zones == (None,)


def test_a_row_counts_at_its_end() -> None:
    assert [time_of(row) for row in (*stream(1), Gap("dock", 3.0), CameraState("dock", "online", 4.0))] == [1.7e9, 3, 4]


def test_a_block_of_gaps_alone() -> None:
    block, _ = decode(encode([Gap("dock", 5.0), Gap("dock", 6.0)]))
    assert list(block.rows()) == [Gap("dock", 5.0), Gap("dock", 6.0)]
    assert block.scores.shape == (0, 2)


def test_a_day_of_three_events_is_a_few_megabytes() -> None:
    """An hour in blocks of a minute; measured 34 bytes a row at three events."""
    size = sum(len(encode(stream(3600)[i : i + 60])) for i in range(0, 3600, 60))
    assert size * 24 < 2_800_000


def test_float32_scores_cost_half() -> None:
    wide = stream(600)
    narrow: list[Row] = [
        Detection("dock", d.start, d.end, None, {k: float(np.float32(v)) for k, v in d.scores.items()}, 0.5, 1.0, MODEL)
        for d in wide
        if isinstance(d, Detection)
    ]
    assert len(encode(narrow)) < 0.6 * len(encode(wide))
    assert list(decode(encode(narrow))[0].rows()) == narrow


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_damage_is_seen(data: st.DataObject) -> None:
    good = encode(stream(8))
    at = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"damaged|cut off"):
        decode(bytes(bad))
    with pytest.raises(ValueError, match=r"damaged|cut off"):
        decode(good[:at])


def test_a_sound_block_of_another_version_is_refused() -> None:
    import zlib

    for text in (b"", b"[]", b"{}", b'{"rows": 3, "types": []}', b'{"rows": "x"}', b"no json"):
        packed = zlib.compress(struct.pack("<I", len(text)) + text)
        data = struct.pack("<4sII", MAGIC, len(packed), zlib.crc32(packed)) + packed
        with pytest.raises(ValueError, match="not a block of this version"):
            decode(data)
        with pytest.raises(ValueError, match="not a block of this version"):
            peek(data)


def test_odd_numbers_keep_their_kind() -> None:
    odd: list[Row] = [Detection("dock", -0.0, inf, None, {"fight": nan, "fall": 1e300}, -inf, 0.1, MODEL)]
    (row,) = decode(encode(odd))[0].rows()
    assert isinstance(row, Detection)
    assert isnan(row.scores["fight"])
    assert (row.end, row.scores["fall"], row.motion, row.filled) == (inf, 1e300, -inf, 0.1)


@given(st.lists(rows, min_size=1, max_size=6), st.integers(0, 50), st.integers(0, 50))
@settings(deadline=None)
def test_joined_blocks_hold_the_same_rows(given_rows: list[list[Row]], first: int, last: int) -> None:
    blocks = [decode(encode(part))[0] for part in given_rows]
    joined = list(join(blocks))
    together = [bits(row) for block in joined for row in block.rows()]
    assert together == [bits(row) for block in blocks for row in block.rows()]
    assert all(one.kind() != other.kind() for one, other in pairwise(joined))
    part = [bits(row) for row in joined[0].rows(first, last)]
    assert part == [bits(row) for row in joined[0].rows()][first:last]


def test_joined_blocks_are_bounded() -> None:
    block = decode(encode([Gap("dock", float(i)) for i in range(3000)]))[0]
    assert [len(found.end) for found in join([block] * 5)] == [6000, 6000, 3000]
    assert list(join([])) == []

"""What the parts cost alone, measured for moments."""

import dataclasses

import pytest

from streamwatch.bench.film import Film
from streamwatch.bench.limits import BATCHES, Limits, measure_limits
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack


def test_every_part_costs_something(film: Film, url: str) -> None:
    model = OnnxModel(load_pack("bundled"), "cpu")
    found = measure_limits(film.path, url, model, 2.0)
    assert tuple(found.encode) == tuple(found.score) == BATCHES
    for ms in (found.demux, found.decode, found.scale, *found.encode.values(), *found.score.values()):
        assert 0.01 < ms < 1000
    assert min(found.encode.values()) > min(found.score.values())  # eight pictures against one window of tokens
    assert found.clips == 1 / model.card.stride_seconds


def test_the_sum_is_that_of_the_cheapest_batches() -> None:
    found = Limits(6.0, 35.0, 3.0, {1: 11.0, 2: 10.0}, {1: 1.0, 2: 2.0})
    assert found.graphs == 11.0
    assert found.sum == 55.0
    assert dataclasses.replace(found, clips=2.0).sum == pytest.approx(66.0)

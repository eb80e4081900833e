"""The whole pipeline under load."""

import dataclasses
import os

import pytest

from streamwatch.bench import load
from streamwatch.bench.limits import Limits
from streamwatch.bench.load import HEADROOM, Load, cameras_that_fit, measure_load, measure_loads
from streamwatch.bench.site import Setup
from streamwatch.errors import StreamwatchError

LOAD = Load(
    cameras=8, seconds=20.0, windows=1.0, worst=1.0, dropped=0.0, reconnects=0.0, age_p95=0.2, cpu=60.0,
    memory=300_000_000,
    stages={"receive": 8.0, "decode": 35.0, "scale": 4.0, "encode": 10.0, "score": 2.0}, still=0.0, started=3.0,
)  # fmt: skip

LIMITS = Limits(6.0, 35.0, 3.0, {1: 11.0, 8: 10.0}, {1: 2.0, 8: 1.0}, threads=8)


@pytest.mark.timeout(240)
def test_cameras_are_watched_and_what_it_costs_is_accounted_for(url: str) -> None:
    found = measure_load(url, 3, 10.0, Setup(provider="cpu"))
    assert found.cameras == 3
    assert 0.3 < found.windows < 1.5
    assert 0 <= found.worst <= found.windows + 1e-9
    assert found.cpu > 1
    assert {"receive", "decode", "scale", "encode", "score", "rules"} <= found.stages.keys()
    assert "publish" not in found.stages
    assert found.counted == pytest.approx(found.cpu, rel=0.15)  # .97 to 1.03 on a busy machine
    assert found.still == 0
    assert 100e6 < found.memory < 2e9
    assert found.started > 0.5


def test_a_number_that_fails_leaves_the_others_their_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(url: str, cameras: int, seconds: float, setup: Setup) -> Load:
        if cameras == 200:
            raise StreamwatchError("not ready")
        return dataclasses.replace(LOAD, cameras=cameras)

    monkeypatch.setattr(load, "measure_load", measured)
    noted: list[int] = []
    loads, failed = measure_loads("rtsp://x", [8, 200, 16], 1.0, Setup(), noted.append)
    assert [found.cameras for found in loads] == [8, 16]
    assert failed == {200: "not ready"}
    assert noted == [8, 200, 16]


def test_overhead_is_what_is_neither_pictures_nor_graphs() -> None:
    assert LOAD.overhead(graphs=11.0) == pytest.approx(60 - 39 - 11)
    assert dataclasses.replace(LOAD, still=1.0).overhead(graphs=11.0) == pytest.approx(21)


def test_a_run_that_did_not_keep_up_says_nothing_of_how_many_fit() -> None:
    late = dataclasses.replace(LOAD, cameras=64, worst=0.5, cpu=10.0)
    assert LOAD.kept_up
    assert not late.kept_up
    fit = cameras_that_fit([LOAD, late], LIMITS)
    assert fit == int(HEADROOM * len(os.sched_getaffinity(0)) * 1000 / 60)
    assert cameras_that_fit([late], LIMITS) == 0


@pytest.mark.parametrize(
    ("threads", "clips", "fit"),
    [(1, 1.0, 33), (2, 1.0, 66), (2, 2.0, 33), (8, 1.0, 128)],  # 24 ms a window; 100 ms of 16 cores a camera
)
def test_no_more_fit_than_the_graphs_can_score(
    monkeypatch: pytest.MonkeyPatch, threads: int, clips: float, fit: int
) -> None:
    monkeypatch.setattr(load, "cores", lambda: 16)
    limits = Limits(6.0, 35.0, 3.0, {1: 22.0}, {1: 2.0}, clips, threads=threads)
    assert cameras_that_fit([dataclasses.replace(LOAD, cpu=100.0)], limits) == fit


def test_stages_add_up() -> None:
    assert LOAD.counted == pytest.approx(59)

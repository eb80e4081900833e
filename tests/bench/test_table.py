"""What is shown."""

import dataclasses
import json
import math
from pathlib import Path

from streamwatch.bench.film import Film
from streamwatch.bench.limits import Limits
from streamwatch.bench.startup import Startup
from streamwatch.bench.table import (
    failed_lines,
    limit_lines,
    load_lines,
    machine,
    rate_lines,
    report,
    startup_lines,
    table,
)
from tests.bench.test_load import LOAD

LIMITS = Limits(6.0, 35.0, 3.0, {1: 11.0, 8: 10.0}, {1: 2.0, 8: 1.0})
FILM = Film(Path("x.mp4"), 1280, 720, 25.0, 2e6)


def test_columns_are_aligned() -> None:
    assert list(table([["a", "10"], ["long", "1"]])) == ["  a     10", "  long   1"]


def test_the_pipeline_stands_beside_its_limit() -> None:
    lines = "\n".join([*limit_lines(LIMITS), *load_lines([LOAD], LIMITS)])
    assert "55.0" in lines  # the sum of the parts
    assert "1.09" in lines  # 60 ms of 55
    assert "uncounted" in lines
    assert "such cameras fit" in lines


def test_a_machine_that_is_too_slow_is_told_so() -> None:
    slow = dataclasses.replace(LOAD, worst=0.4)
    assert "try fewer --cameras" in "\n".join(load_lines([slow], LIMITS))


def test_a_gpu_is_told_what_its_graphs_allow() -> None:
    lines = list(rate_lines(LIMITS))
    assert lines[-2].split() == ["8", "800", "91"]  # 10 ms a clip of 8 frames; 11 ms with its window
    assert "more than 91 windows" in lines[-1]


def test_on_a_gpu_the_pipeline_stands_beside_its_graphs_and_not_beside_cpu_time() -> None:
    limits = dataclasses.replace(LIMITS, gpu=True)
    parts, lines = "\n".join(limit_lines(limits)), list(load_lines([LOAD], limits))
    assert "sum of" not in parts
    assert "elapsed, on the GPU" in parts
    head, row = lines[1], lines[2].split()
    assert head.index("windows/s in all") < head.index("frames/s") < head.index("of the graphs'")
    assert row[-5:-2] == ["8", "64", "0.09"]  # 8 cameras, a window of a clip of 8 frames each; 91 windows at most
    for word in ("of limit", "counted", "overhead"):
        assert not any(word in line for line in lines)
    found = report(machine("cuda"), FILM, limits, [LOAD], {})
    assert [found["loads"][0][key] for key in ("counted", "overhead", "ratio")] == [None] * 3
    assert found["limit"]["sum"] is None
    assert found["loads"][0]["of_rate"] == 8 / found["limit"]["rate"]


def test_json_has_stable_keys_and_no_nan() -> None:
    blank = dataclasses.replace(LOAD, age_p95=math.nan)
    found = json.loads(json.dumps(report(machine("cpu"), FILM, LIMITS, [blank], {200: "not ready"}), allow_nan=False))
    assert list(found) == ["schema", "machine", "film", "limit", "loads", "failed", "cameras_that_fit"]
    assert found["failed"] == {"200": "not ready"}
    assert set(found["machine"]) == {"processor", "cores", "python", "onnxruntime", "provider", "busy"}
    assert set(found["film"]) == {"path", "width", "height", "fps", "bits"}
    assert set(found["limit"]) == {
        "demux", "decode", "scale", "encode", "score", "clips", "frames", "threads", "gpu", "sum", "rate",
    }  # fmt: skip
    assert set(found["loads"][0]) == {
        "cameras", "seconds", "windows", "worst", "dropped", "reconnects", "age_p95", "cpu", "memory", "stages",
        "still", "started", "kept_up", "counted", "overhead", "ratio", "of_rate",
    }  # fmt: skip
    assert found["loads"][0]["age_p95"] is None


def test_what_failed_is_told() -> None:
    assert list(failed_lines({200: "not ready"})) == ["200 cameras were not measured: not ready"]


def test_startup_names_its_goal() -> None:
    lines = list(startup_lines(Startup(0.02, 0.1, 0.2, 1.2, 1.3, 2.4)))
    assert "first scored window (goal 3)" in lines[-1]
    assert lines[-1].endswith("2.40")

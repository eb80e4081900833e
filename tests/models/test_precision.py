"""Which file runs where."""

from pathlib import Path

import pytest

from streamwatch.models.precision import EXPORTED, PREFERRED, fast_int8, graph_file

OWN, HALF, FULL = "joint.onnx", "joint.fp16.onnx", "joint.fp32.onnx"


@pytest.mark.parametrize(
    ("provider", "fast", "files", "chosen"),
    [
        ("cpu", True, {OWN, HALF, FULL}, OWN),
        ("cpu", False, {OWN, HALF, FULL}, FULL),
        ("cpu", False, {OWN, HALF}, OWN),  # never fp16: a CPU computes it by way of fp32
        ("cuda", True, {OWN, HALF, FULL}, HALF),
        ("cuda", False, {OWN, HALF, FULL}, HALF),
        ("cuda", True, {OWN, FULL}, FULL),
        ("cuda", True, {OWN}, OWN),
        ("tensorrt", True, {OWN, HALF}, HALF),
        ("cuda", True, {OWN, "clip_encoder.fp16.onnx"}, OWN),
    ],
)
def test_the_table(provider: str, fast: bool, files: set[str], chosen: str) -> None:
    assert graph_file("joint", provider, fast, files) == chosen


@pytest.mark.parametrize(
    ("text", "fast"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni\n", True),
        ("flags\t\t: fpu avx2 avx_vnni\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
        ("Features\t: fp asimd asimddp\n", True),
        ("Features\t: fp asimd\n", False),
        ("nothing that is known\n", True),
    ],
)
def test_the_cpus_own_words(tmp_path: Path, text: str, fast: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert fast_int8(tmp_path / "cpuinfo") is fast


def test_a_system_that_does_not_say_runs_the_packs_own_file(tmp_path: Path) -> None:
    assert fast_int8(tmp_path / "none")


def test_an_export_can_write_whatever_is_preferred_anywhere() -> None:
    assert {one for wanted in PREFERRED.values() for one in wanted} <= set(EXPORTED["all"])
    assert {EXPORTED[one] for one in ("int8", "fp16", "fp32")} == {("int8",), ("fp16",), ("fp32",)}

"""Two phases (tests/run.sh): most tests share the cores; those that measure time have the machine to themselves."""

import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # two workers with two threads each would fight for two cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch and BLAS are loaded

HERE = Path(__file__).parent
# Folders and files whose tests measure, bound times by a second or two, or run the whole service as quick as it is
# live. The others compute, or wait for what comes, with limits that a busy core does not reach.
ALONE = frozenset(
    map(
        Path,
        (
            "bench",
            "cli/test_app.py",
            "cli/test_bench.py",
            "cluster/test_actors.py",
            "cluster/test_fleet.py",
            "cluster/test_pace.py",
            "cluster/test_ways.py",
            "deploy/test_live.py",
            "faults/test_kills.py",
            "test_demo.py",
            "test_evidence.py",
            "test_notify.py",
            "test_pipeline.py",
            "test_rtsp_server.py",
            "video/test_camera.py",
            "video/test_ffmpeg.py",
            "video/test_pacing.py",
        ),
    )
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--phase", choices=("together", "alone"), help="these tests only (tests/conftest.py); else all")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the other phase before it is imported."""
    phase: str | None = config.getoption("phase")
    if phase is None or belongs(collection_path, phase):
        return None
    return True


def belongs(path: Path, phase: str) -> bool:
    """Whether a folder or file has tests of a phase."""
    here = path.relative_to(HERE)
    if any(here in line.parents for line in ALONE):  # a folder of both
        return True
    return (not ALONE.isdisjoint((here, *here.parents))) == (phase == "alone")

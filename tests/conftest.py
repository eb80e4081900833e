"""Two phases (tests/run.sh): what only computes shares the cores, what runs in real time has the machine to itself."""

import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # two workers with two threads each would fight for two cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch and BLAS are loaded

HERE = Path(__file__).parent
# Below tests/: a folder or a file whose tests wait for a clock, measure, or talk to processes that do.
REAL_TIME = frozenset({
    "bench",
    "cli",
    "cluster",
    "deploy",
    "faults",
    "sinks",
    "video",
})  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--phase", choices=("computing", "real-time"), help="only these tests; without it, all")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what belongs to the other phase, before it is imported."""
    phase = config.getoption("phase")
    parts = collection_path.relative_to(HERE).parts
    if phase is None or not parts or (collection_path.is_dir() and parts[0] not in REAL_TIME):
        return None
    return (parts[0] in REAL_TIME) != (phase == "real-time") or None

"""A short camera campaign with a fixed seed, each fault once; and the reckoning, which must be able to fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.cameras import FAULTS, ROOT, CameraReport, Trial, quantile, rows
from tests.faults.reconnects import Sample, growth, reconnect
from tests.video.rtsp import gstreamer_missing

SLACK = 12.0  # of every limit: these machines are loaded, and the long run is the one that measures


@pytest.fixture(scope="module")
def gstreamer() -> None:
    if reason := gstreamer_missing():
        pytest.skip(f"no RTSP server: {reason}")


@pytest.mark.timeout(300)
def test_each_fault_is_seen_and_survived_and_delays_no_other_camera(gstreamer: None) -> None:
    command = [sys.executable, "-m", "tests.faults", "--cameras", "--minutes=0", "--seed=7", f"--slack={SLACK}"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=ROOT)
    assert found.returncode == 0, found.stdout + found.stderr
    names = [line[:16].strip() for line in found.stdout.splitlines()[1 : len(FAULTS) + 1]]
    assert set(names) >= set(FAULTS) - {"step clock"}, found.stdout


@pytest.mark.timeout(200)
def test_forty_reconnects_leave_no_thread_and_no_descriptor(gstreamer: None, tmp_path: Path) -> None:
    samples = list(reconnect(tmp_path, 40, 4))
    assert len(samples) == 10
    settled = samples[2]
    assert max(sample.threads for sample in samples[3:]) <= settled.threads
    assert max(sample.descriptors for sample in samples[3:]) <= settled.descriptors
    assert samples[-1].memory - settled.memory < 20e6  # no picture is kept; the long run has the slope


def test_the_slope_is_of_the_warm_part() -> None:
    samples = [Sample(n, 1, 1, 1_000_000 * min(n, 3) + 500 * n) for n in range(1, 11)]
    assert growth(samples) == pytest.approx(500)


def test_the_table_counts_and_names_what_broke() -> None:
    trials = {"stall": [Trial(1.0, 0.2, 0.5), Trial(1.2, 0.4, 0.6)], "reset": [Trial(0.3, 2.0, 2.5, "seen late")] * 3}
    report = CameraReport(trials, quiet=[0.01] * 99, beside={"stall": [0.01] * 95, "reset": [0.5] * 5}, ended=["dock"])
    lines = list(rows(report))
    assert lines[2].split() == ["stall", "2", "0", "1.000", "1.200", "0.200", "0.400", "0.500", "0.600", "0.010"]
    assert report.wrong == [
        *["reset: seen late"] * 3,
        "camera dock did not end well",
        "reset: back after 2.00 s in the median",
        "witness: delayed by 0.490 s more beside faults (p99)",
    ]


def test_a_quantile_is_one_of_the_values() -> None:
    assert [quantile([3.0, 1.0, 2.0], share) for share in (0.1, 0.5, 0.99)] == [1.0, 2.0, 3.0]


def test_the_weights_add_up() -> None:
    assert sum(weight for weight, _ in FAULTS.values()) == 100

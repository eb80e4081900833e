"""The unit, as systemd itself reads it."""

import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from streamwatch.cli.outcome import EXIT_CONFIG

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "streamwatch.service"
ANALYZE = shutil.which("systemd-analyze")


def service() -> dict[str, str]:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNIT)
    return dict(parser["Service"])


def test_a_wrong_configuration_is_not_tried_again() -> None:
    assert service()["RestartPreventExitStatus"] == str(EXIT_CONFIG)


def test_it_speaks_the_protocol_that_the_program_speaks() -> None:
    unit = service()
    assert unit["Type"] == "notify"
    assert int(unit["WatchdogSec"]) >= 10
    assert int(unit["TimeoutStopSec"]) > 8  # what an ordered stop may take


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_to_say(tmp_path: Path) -> None:
    there = tmp_path / UNIT.name
    there.write_text(UNIT.read_text().replace("/opt/streamwatch/bin/streamwatch", sys.executable))
    found = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", str(there)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stderr.strip()) == (0, "")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_it_is_hardened() -> None:
    arguments = [str(ANALYZE), "security", "--offline=true", "--threshold=25", str(UNIT)]
    found = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    if "nrecognized option" in found.stderr:
        pytest.skip("this systemd-analyze cannot judge a unit that is not installed")
    assert found.returncode == 0, found.stdout[-400:]

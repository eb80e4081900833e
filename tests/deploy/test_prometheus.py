"""Prometheus' files, judged by promtool, and by the metrics that streamwatch really has."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.series import exposed, named

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
RULES = FOLDER / "streamwatch.rules.yml"
TESTS = FOLDER / "streamwatch.rules.test.yml"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian's prometheus) is not installed")


def promtool(*arguments: str) -> None:
    found = subprocess.run(
        [str(PROMTOOL), *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=FOLDER
    )
    assert found.returncode == 0, found.stdout + found.stderr


def rules() -> list[dict[str, str]]:
    document = yaml.safe_load(RULES.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


@needs_promtool
def test_the_configuration_is_one() -> None:
    promtool("check", "config", "prometheus.yml")


@needs_promtool
def test_the_rules_do_what_their_tests_say() -> None:
    promtool("test", "rules", TESTS.name)


@needs_promtool
def test_the_tests_can_fail(tmp_path: Path) -> None:
    shutil.copy(TESTS, tmp_path)
    changed = RULES.read_text().replace("streamwatch_camera_up == 0", "streamwatch_camera_up == 2")
    (tmp_path / RULES.name).write_text(changed)
    found = subprocess.run(
        [str(PROMTOOL), "test", "rules", TESTS.name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert found.returncode != 0


def test_each_rule_is_tested() -> None:
    tested = TESTS.read_text()
    assert [rule["alert"] for rule in rules() if rule["alert"] not in tested] == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_there_is(rule: dict[str, str]) -> None:
    names = named(rule["expr"])
    assert names <= exposed() | {"up"}, names - exposed()
    assert re.match(r"^Streamwatch[A-Za-z]+$", rule["alert"])
    assert yaml.safe_load(str(rule["labels"]))["severity"] in ("critical", "warning")

"""What the images and the compose file promise, read from them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from streamwatch.config import load_config
from streamwatch.plan import draw_plan

DEPLOY = Path(__file__).parents[2] / "deploy"
IMAGES = ["Dockerfile", "Dockerfile.gpu"]
COMPOSE = yaml.safe_load((DEPLOY / "compose.yml").read_text())


def instructions(name: str) -> list[tuple[str, str]]:
    """(instruction, argument) of each line, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / name).read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def last_stage(name: str) -> dict[str, str]:
    lines = instructions(name)
    start = max(i for i, (word, _) in enumerate(lines) if word == "FROM")
    return dict(lines[start:])


@pytest.mark.parametrize("name", IMAGES)
class TestImage:
    def test_leaves_the_build_behind(self, name: str) -> None:
        assert [word for word, _ in instructions(name)].count("FROM") == 2
        assert last_stage(name)["COPY"].startswith("--from=build")

    def test_is_not_root(self, name: str) -> None:
        uid = last_stage(name)["USER"].split(":")[0]
        assert uid.isdigit(), "Kubernetes' runAsNonRoot wants a number"
        assert int(uid) > 0

    def test_runs_without_a_shell(self, name: str) -> None:
        stage = last_stage(name)
        assert json.loads(stage["ENTRYPOINT"]) == ["streamwatch"]
        assert json.loads(stage["CMD"])[0] == "run"
        assert json.loads(stage["HEALTHCHECK"].split("CMD", 1)[1])[:2] == ["streamwatch", "healthcheck"]

    def test_names_the_version_of_its_base(self, name: str) -> None:
        used = " ".join(value for word, value in instructions(name) if word == "FROM")
        given = [value.split("=", 1) for word, value in instructions(name) if word == "ARG"]
        bases = [value for argument, value in given if f"${{{argument}}}" in used]
        assert bases
        for base in bases:
            assert re.search(r":[\w.-]*\d", base), base

    def test_copies_what_is_there_and_not_ignored(self, name: str) -> None:
        root = DEPLOY.parent
        allowed = {line[1:] for line in (root / ".dockerignore").read_text().split() if line.startswith("!")}
        for word, value in instructions(name):
            if word == "COPY" and "--from" not in value:
                for source in value.split()[:-1]:
                    assert (root / source).exists(), source
                    assert source in allowed, f".dockerignore hides {source}"


def test_compose_has_what_an_operator_expects() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"streamwatch", "streamwatch-gpu", "mosquitto", "camera", "prometheus", "grafana"}
    assert services["streamwatch-gpu"]["profiles"] == ["gpu"]
    assert services["prometheus"]["profiles"] == services["grafana"]["profiles"] == ["monitoring"]


def test_compose_lets_streamwatch_stop_and_write_nowhere_else() -> None:
    for name in ("streamwatch", "streamwatch-gpu"):
        service = COMPOSE["services"][name]
        assert service["stop_grace_period"] == "30s"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_compose_publishes_on_loopback_only() -> None:
    for service in COMPOSE["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), port


def test_compose_mounts_what_is_there() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], volume
        if "image" in service and "build" not in service:
            assert re.search(r":[\w.-]*\d", service["image"]), f"{service['image']} names no version"


def test_the_configuration_of_compose_runs_the_shipped_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = draw_plan(load_config(DEPLOY / "compose" / "streamwatch.yml"))
    assert {"fight", "fall"} <= {rule.name for rule in plan.rules}

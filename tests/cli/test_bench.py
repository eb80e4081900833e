"""``streamwatch bench`` as a user runs it."""

import json
import re
from pathlib import Path

import pytest

from streamwatch.video.h264 import film_scene
from streamwatch.video.synthetic import Scene
from tests.cli.command import streamwatch


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(film_scene(Scene("walk", 0, (320, 180), 10.0, 4), tmp_path_factory.mktemp("video")))


@pytest.mark.timeout(240)
def test_everything_as_one_json_document(video: str, tmp_path: Path) -> None:
    given = ["--video", video, "--data-dir", str(tmp_path), "--provider", "cpu"]
    found = streamwatch("bench", "--cameras", "2", "--seconds", "1", "--json", *given, limit=200)
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert report["schema"] == "streamwatch.bench/1"
    assert [load["cameras"] for load in report["loads"]] == [2]
    assert report["machine"]["provider"] == "cpu"
    assert all(load["ratio"] > 0 for load in report["loads"])


@pytest.mark.timeout(240)
def test_memory_of_a_further_camera(video: str, tmp_path: Path) -> None:
    given = ["--video", video, "--data-dir", str(tmp_path), "--provider", "cpu"]
    found = streamwatch("bench", "memory", "--cameras", "1,3", "--seconds", "1", "--json", *given, limit=200)
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert set(report) == {"memory", "per_camera"}
    assert -50e6 < report["per_camera"] < 200e6


def test_rules_for_people() -> None:
    found = streamwatch("bench", "rules", "--seconds", "1", limit=110)
    assert found.returncode == 0, found.stderr
    assert re.search(r"thresholds +quiet +[\d,]+ +mixed +[\d,]+", found.stdout)
    assert "86,400 detections" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cameras", "many"], "--cameras many"),
        (["--cameras", "0"], "--cameras 0"),
        (["memory", "--cameras", "8"], "needs two numbers"),
        (["--provider", "foo"], "provider: foo is none of auto, cpu, cuda, tensorrt"),
        (["startup", "--provider", "foo"], "provider: foo"),
        (["memory", "--provider", "foo"], "provider: foo"),
        (["--decode", "foo"], "decode: foo is none of all, auto"),
        (["--hwaccel", "foo"], "hwaccel: foo is none of none, cuda"),
        (["--video", "/nowhere.mp4", "--cameras", "1"], "nowhere"),
        (["--model", "/nowhere", "--cameras", "1"], "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: list[str], said: str, video: str, tmp_path: Path) -> None:
    film = [] if "--video" in arguments else ["--video", video]
    found = streamwatch("bench", *arguments, *film, "--data-dir", str(tmp_path))
    assert found.returncode == 78
    assert said in found.stderr

"""Films that the tests of evidence share."""

import shutil
from pathlib import Path

import pytest

from tests.evidence.footage import make_video


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of H.264."""
    return make_video(tmp_path_factory.mktemp("video") / "plain.mp4")


@pytest.fixture(scope="session")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds with something bright in the upper left."""
    return make_video(tmp_path_factory.mktemp("video") / "bright.mp4", bright=True)


@pytest.fixture
def ffmpeg() -> None:
    """Skips where there is no ffmpeg to give a second opinion."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")

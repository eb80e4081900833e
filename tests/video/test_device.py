"""Local cameras; a machine that tests seldom has one, so mostly what is said when there is none."""

from pathlib import Path

import pytest

from streamwatch.errors import SourceError
from streamwatch.secret import SecretUrl
from streamwatch.video.device import DeviceSource
from streamwatch.video.picture import Opening


def opening(url: str) -> Opening:
    return Opening(SecretUrl(url))


@pytest.mark.parametrize("url", ["device:", "device:front", "device:-1", "device:/dev/video0", "device:9999"])
def test_only_numbers_are_devices(url: str) -> None:
    with pytest.raises(SourceError, match="write device:0"):
        DeviceSource(opening(url))


def test_a_missing_device_is_said() -> None:
    if Path("/dev/video99").exists():
        pytest.skip("this machine has a hundred cameras")
    with pytest.raises(SourceError, match=r"device:99: there is no /dev/video99") as caught:
        DeviceSource(opening("device:99"))
    assert caught.value.reason == "not_found"


@pytest.mark.skipif(not Path("/dev/video0").exists(), reason="no /dev/video0 on this machine")
def test_a_device_gives_pictures() -> None:
    source = DeviceSource(opening("device:0"))
    picture = next(iter(source))
    assert picture.pts is None
    assert picture.scale(16).shape == (16, 16, 3)
    source.close()

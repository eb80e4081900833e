from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamwatch.errors import EvidenceError
from streamwatch.evidence.still import SMALL_BYTES, SMALL_WIDTH, Still, take_still
from streamwatch.video.packets import Packet
from tests.evidence.footage import EPOCH, make_ring, make_video, pictures

MASK = [[(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)]]


def opened(jpeg: bytes) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image[:, :, ::-1], np.uint8)


@pytest.mark.parametrize("bf", [0, 2])
def test_it_is_the_picture_of_that_moment(tmp_path: Path, bf: int) -> None:
    source = make_video(tmp_path / "source.mp4", bf=bf, seconds=4)
    still = take_still(make_ring(source).around(EPOCH + 2.55), EPOCH + 2.55)
    assert still.at == pytest.approx(EPOCH + 2.5)
    wanted = pictures(source)[25].astype(int)
    assert np.abs(opened(still.full).astype(int) - wanted).mean() < 3
    assert np.abs(opened(still.full).astype(int) - pictures(source)[35].astype(int)).mean() > 3


def test_masked_pixels_are_black(bright: Path) -> None:
    packets = make_ring(bright).around(EPOCH + 1)
    assert opened(take_still(packets, EPOCH + 1).full)[:60, :80].max() > 240
    still = take_still(packets, EPOCH + 1, MASK)
    for jpeg in (still.full, still.small):
        assert opened(jpeg)[:56, :76].max() < 30
        assert opened(jpeg)[64:, 84:].min() > 40


def test_the_small_one_fits_a_message(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1080, 1920, 3), np.uint8)
    data = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    run = make_ring(make_video(tmp_path / "a.avi", "mjpeg", 1)).since(0)[0].run
    still: Still = take_still([Packet(1, run, 0, True, data, EPOCH)], EPOCH)
    assert opened(still.full).shape == (1080, 1920, 3)
    assert len(still.small) <= SMALL_BYTES
    assert opened(still.small).shape[1] <= SMALL_WIDTH


def test_nothing_to_decode_is_an_error(video: Path) -> None:
    with pytest.raises(EvidenceError, match="no picture"):
        take_still([], EPOCH)
    packet = make_ring(video).since(0)[0]
    with pytest.raises(EvidenceError, match="no picture"):
        take_still([Packet(1, packet.run, 0, True, b"\xff" * 50, EPOCH)], EPOCH)

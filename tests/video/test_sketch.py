import cv2
import numpy as np

from streamwatch.video.packets import PacketRing
from streamwatch.video.picture import ArrayPicture
from streamwatch.video.sketch import RATE, Sketch
from tests.evidence.footage import EPOCH

MASK = [[(0.0, 0.0), (0.5, 0.0), (0.5, 0.5), (0.0, 0.5)]]


def white(width: int = 64, height: int = 48) -> ArrayPicture:
    return ArrayPicture(None, np.full((height, width, 3), 255, np.uint8))


def test_a_few_pictures_a_second_are_kept_as_jpeg() -> None:
    ring = PacketRing(100, lambda: EPOCH)
    sketch = Sketch(ring)
    for number in range(100):
        sketch.observe(white(), EPOCH + number / 25)
    packets = ring.since(0)
    assert 4 * RATE * 0.7 <= len(packets) <= 4 * RATE
    assert all(packet.keyframe and packet.run.codec.name == "mjpeg" for packet in packets)
    assert [packet.at - EPOCH for packet in packets][:2] == [0.0, np.float64(packets[1].at - EPOCH)]
    assert abs(packets[1].at - EPOCH - 0.2) < 0.05


def test_what_is_masked_is_masked_before_it_is_kept() -> None:
    ring = PacketRing(100, lambda: EPOCH)
    Sketch(ring, MASK).observe(white(), EPOCH)
    image = cv2.imdecode(np.frombuffer(ring.since(0)[0].data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image[:20, :28].max() < 30
    assert image[30:, 40:].min() > 225


def test_a_large_picture_is_made_smaller() -> None:
    ring = PacketRing(100, lambda: EPOCH)
    Sketch(ring).observe(white(2560, 1440), EPOCH)
    image = cv2.imdecode(np.frombuffer(ring.since(0)[0].data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (720, 1280, 3)


def test_a_clock_set_back_does_not_stop_it() -> None:
    ring = PacketRing(100, lambda: EPOCH)
    sketch = Sketch(ring)
    sketch.observe(white(), EPOCH)
    sketch.observe(white(), EPOCH - 3600)
    assert len(ring.since(0)) == 2

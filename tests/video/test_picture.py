"""The values that sources and cameras share."""

import numpy as np

from streamwatch.secret import SecretUrl
from streamwatch.video.picture import ArrayPicture, Opening


def test_an_array_is_a_picture() -> None:
    picture = ArrayPicture(1.5, np.full((30, 40, 3), 9, np.uint8))
    assert picture.shape == (40, 30)
    assert picture.scale(8).shape == (8, 8, 3)
    assert (picture.scale(8) == 9).all()


def test_each_opening_counts_for_itself() -> None:
    first, second = Opening(SecretUrl("file:a.mp4")), Opening(SecretUrl("file:a.mp4"))
    first.tally.frames += 1
    assert second.tally.frames == 0


def test_an_opening_shows_no_password() -> None:
    assert "CANARY" not in repr(Opening(SecretUrl("rtsp://u:CANARY@cam/x")))

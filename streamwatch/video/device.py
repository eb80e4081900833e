"""A camera at this machine (``device:0``) through OpenCV."""

import sys
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import cv2

from streamwatch.errors import EndOfStreamError, SourceError
from streamwatch.video.picture import ArrayPicture, Opening, Picture

__all__ = ["DeviceSource"]


class DeviceSource:
    """``device:<number>``, as OpenCV counts them; on Linux /dev/video<number>. Its pictures have no pts."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        number = urlsplit(opening.url.reveal()).path
        if not number.isdecimal() or len(number) > 3:
            raise SourceError(f"{opening.url}: write device:0 for the first camera of this machine", "not_found")
        if sys.platform == "linux" and not Path(f"/dev/video{number}").exists():
            raise SourceError(f"{opening.url}: there is no /dev/video{number}", "not_found")
        self._capture = cv2.VideoCapture(int(number))
        if not self._capture.isOpened():
            self._capture.release()
            raise SourceError(f"{opening.url}: cannot be opened; is another program using it?", "refused")

    def __iter__(self) -> Generator[Picture, None, None]:
        tally = self._opening.tally
        while True:
            there, bgr = self._capture.read()
            if not there:
                raise EndOfStreamError(f"{self._opening.url}: the device stopped delivering")
            tally.packets += 1
            tally.frames += 1
            yield ArrayPicture(None, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))

    def close(self) -> None:
        """Release the device."""
        self._capture.release()

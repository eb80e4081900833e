"""What every camera source yields, and what it is told when it is opened."""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Protocol

from streamwatch.secret import SecretUrl
from streamwatch.video.frame import Image
from streamwatch.video.packets import PacketRing
from streamwatch.video.slots import SLOTS, Slots
from streamwatch.video.stillness import Stillness

__all__ = ["ArrayPicture", "Opening", "Picture", "Source", "Tally"]


class Picture(Protocol):
    """One decoded picture, converted only if it is sampled."""

    @property
    def pts(self) -> float | None:
        """The stream's clock in seconds, None where the stream does not say."""

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height as decoded."""

    @property
    def damaged(self) -> bool:
        """Whether the decoder found errors in it or in a picture that it builds on."""

    @property
    def late(self) -> float:
        """Seconds that it was kept before it was handed on."""

    @property
    def still(self) -> "Picture | None":
        """The decoded picture that it repeats because nothing has moved since; None for one that was decoded."""

    def scale(self, size: int) -> Image:
        """The whole picture squashed to uint8 [size, size, 3] RGB."""


class Source(Protocol):
    """An opened camera. Iterating and closing belong to the thread that opened it."""

    def __iter__(self) -> Generator[Picture, None, None]:
        """Pictures in order of time. Raises SourceError; the end is EndOfStreamError for a live camera."""

    def close(self) -> None:
        """Let go of the camera. Idempotent."""


@dataclass(slots=True)
class Tally:
    """What a source has done so far; the camera's thread turns it into metrics once a second.

    ``skipped``: packets left out because the machine was too slow; ``resumed``: how often decoding began again after
    some. ``decode_seconds`` is CPU time. ``hardware``: whether a device of ``hwaccel`` decodes.
    """

    packets: int = 0
    frames: int = 0
    errors: int = 0
    skipped: int = 0
    resumed: int = 0
    decode_seconds: float = 0.0
    hardware: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """What to open and how. ``wait`` paces what has no pace of its own (a file) by waiting so many seconds; without it
    the source runs as fast as it can and its end is clean. With ``stillness`` a source of packets decodes on demand.
    ``ring``, if any, is given the packets as they came. ``rest()``: seconds that a live stream may be left alone when
    it was read to its end: packets that have gathered cost less than as many that each wake the thread. Once ``over()``
    nobody wants more: packets may come for long before one is a picture. ``clips()``: how many were cut so far, as none
    is broken off where the machine is too slow. ``left_out(seconds)`` hears of each packet that is left out for that,
    when all pictures before it were handed on: how much of the stream's time it takes. ``deblock``: as of Decoder.
    ``slots``: who may decode, and when. ``hwaccel``: FFmpeg's name of the device that decodes, if it can."""

    url: SecretUrl
    transport: str = "tcp"
    open_timeout: float = 5.0
    read_timeout: float = 5.0
    wait: Callable[[float], object] | None = None
    stillness: Stillness | None = None
    tally: Tally = field(default_factory=Tally)
    ring: PacketRing | None = None
    rest: Callable[[], float] = lambda: 0.0
    over: Callable[[], bool] = lambda: False
    clips: Callable[[], int] = lambda: 0
    left_out: Callable[[float], None] = lambda seconds: None
    deblock: bool = True
    hwaccel: str = "none"
    slots: Slots = SLOTS


@dataclass(frozen=True, slots=True)
class ArrayPicture:
    """A picture that is already an array, uint8 [H, W, 3] RGB."""

    pts: float | None
    image: Image
    damaged: bool = False
    late: float = 0.0
    still: Picture | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Width and height."""
        return self.image.shape[1], self.image.shape[0]

    def scale(self, size: int) -> Image:
        """Squashed by the same scaler that decoded pictures go through."""
        from streamwatch.video.scale import scale_array  # loads FFmpeg

        return scale_array(self.image, size)

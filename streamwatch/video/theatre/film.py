"""What a cheap camera makes of a scene: noise, soft colour, vignetting, infrared grey at night, a burned-in clock."""

import datetime
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from streamwatch.video.frame import Image

__all__ = ["Film", "load_film"]

_PAD = 64  # pixels by which a noise picture is larger than a frame, so that it can be shifted
_CLOCKS = ("%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%m-%d-%Y  %H:%M:%S", "%b %d %Y %H:%M:%S")


@dataclass(frozen=True)
class Film:
    """The camera's habits. ``develop`` is a pure function of the picture, the time and these fields."""

    size: tuple[int, int]
    seed: int
    noise: float  # standard deviation of the sensor's noise, in grey levels
    softness: float  # sigma of the lens' and codec's blur, in pixels at 640 wide
    vignette: float
    tint: tuple[float, float, float]
    flicker: float
    clock: str
    clock_at: tuple[float, float]
    label: str
    began: float  # epoch seconds shown at t = 0

    def develop(self, picture: Image, t: float, level: float = 1.0, infrared: bool = False) -> Image:
        """Turn a clean ``picture`` (uint8 RGB, altered in place) into what the camera delivers at ``t``."""
        import cv2

        level *= 1 + self.flicker * float(np.sin(2 * np.pi * 0.9 * t) + 0.5 * np.sin(2 * np.pi * 2.3 * t + 1))
        if infrared:
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        sigma = self.softness * self.size[0] / 640
        if sigma > 0.25:
            picture = cv2.GaussianBlur(picture, (0, 0), sigma)
        shade = self._grey_shade if infrared else self._shade
        picture = cv2.multiply(picture, shade, picture, level / 128)
        gain = 1.7 if infrared or level < 0.5 else 1.0
        picture = cv2.addWeighted(picture, 1, self._grain(t, infrared), gain, -128.0 * gain)
        self._stamp(picture, t)
        return np.asarray(picture)

    @cached_property
    def _shade(self) -> Image:
        return _falloff(self.size, self.vignette, self.tint)

    @cached_property
    def _grey_shade(self) -> Image:
        return _falloff(self.size, self.vignette + 0.3, (1.0, 1.0, 1.0))

    @cached_property
    def _noise(self) -> tuple[Image, Image]:
        import cv2

        rng = np.random.default_rng((self.seed, 7))
        width, height = self.size
        light = rng.standard_normal((height + _PAD, width + _PAD, 1), dtype=np.float32)
        light = 0.6 * light + 0.9 * cv2.GaussianBlur(light, (0, 0), 1.0)[..., None]
        colour = cv2.resize(
            rng.standard_normal(((height + _PAD) // 4, (width + _PAD) // 4, 3), dtype=np.float32),
            (width + _PAD, height + _PAD),
        )
        coloured = np.clip(128 + self.noise * (light + 0.7 * colour), 0, 255).astype(np.uint8)
        grey = np.clip(128 + self.noise * np.repeat(light, 3, axis=2), 0, 255).astype(np.uint8)
        return coloured, grey

    def _grain(self, t: float, infrared: bool) -> Image:
        mixed = (round(t * 1000) * 2654435761 + self.seed * 40503) & 0xFFFFFFFF
        dy, dx = (mixed >> 7) % _PAD, (mixed >> 17) % _PAD
        width, height = self.size
        return self._noise[int(infrared)][dy : dy + height, dx : dx + width]

    def _stamp(self, picture: Image, t: float) -> None:
        import cv2

        width, height = self.size
        now = datetime.datetime.fromtimestamp(self.began + t, datetime.UTC)
        scale, font = 0.5 * width / 640, cv2.FONT_HERSHEY_SIMPLEX
        across, down = self.clock_at
        texts = [(now.strftime(self.clock), across, down), (self.label, 0.02, 0.96 if down < 0.5 else 0.06)]
        for text, x, y in texts:
            at = (int(x * width), int(y * height))
            if width >= 480:
                cv2.putText(picture, text, at, font, scale, (10, 10, 10), 3, cv2.LINE_8)
            cv2.putText(picture, text, at, font, scale, (240, 240, 240), 1, cv2.LINE_AA)


def load_film(rng: np.random.Generator, size: tuple[int, int]) -> Film:
    """A camera with habits drawn at random."""
    warm = rng.normal(0, 0.06)
    tint = (1 + warm, 1 + rng.normal(0, 0.02), 1 - warm)
    day = datetime.datetime(
        int(rng.integers(2018, 2026)), int(rng.integers(1, 13)), int(rng.integers(1, 28)), tzinfo=datetime.UTC
    )
    top = rng.random() < 0.7
    return Film(
        size,
        seed=int(rng.integers(1 << 31)),
        noise=float(rng.uniform(1.2, 4.5)),
        softness=float(rng.uniform(0.3, 1.1)),
        vignette=float(rng.uniform(0.05, 0.4)),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        flicker=float(rng.choice([0.0, 0.004, 0.015])),
        clock=str(rng.choice(_CLOCKS)),
        clock_at=(float(rng.choice([0.02, 0.3, 0.6])), 0.06 if top else 0.96),
        label=f"CAM {int(rng.integers(1, 17)):02d}",
        began=day.timestamp() + float(rng.integers(0, 86400)),
    )


def _falloff(size: tuple[int, int], vignette: float, tint: tuple[float, float, float]) -> Image:
    width, height = size
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    fall = 1 - vignette * np.clip((x**2 + y**2) / 2, 0, 1) ** 1.3
    return np.asarray(np.clip(128 * fall[..., None] * np.array(tint), 0, 255).astype(np.uint8))

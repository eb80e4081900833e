"""Batches of clips, each disturbed in its own way, on whatever device they lie: for training the eyes.

Harsher than what :mod:`streamwatch.training.data` does to clips whose features are kept: a third of the clips is set
small into the still picture of another place, some cameras shake, some lights flicker.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from streamwatch.training.recipe import Disturb

__all__ = ["affine", "disturb", "recompress", "shrink"]

Array = NDArray[np.float32]
SMALLER = (2, 2, 3, 3, 4)  # times, each as likely as any
MIDDLE = 110.0  # grey level about which contrast turns
BLOCK = 8
LUMINANCE = (  # JPEG's quantisation table (ITU-T T.81, annex K)
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)  # fmt: skip


def disturb(clips: Tensor, stills: Tensor, rng: np.random.Generator, how: Disturb) -> Tensor:
    """Clips uint8 [B, T, S, S, 3] → float [B, T, S, S, 3] in 0 … 255. ``stills`` uint8 [n, S, S, 3] are places to be
    set into. The same ``rng`` gives the same, on the same kind of device."""
    b, t, s, _, _ = clips.shape
    x = clips.flatten(0, 1).permute(0, 3, 1, 2).float()
    turned = torch.from_numpy(affine(b, t, rng, how)).to(x.device)
    grid = F.affine_grid(turned.flatten(0, 1), [b * t, 3, s, s], align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    x = shrink(x.reshape(b, t, 3, s, s), stills, rng, how)
    x = _light(x, rng, how)
    x = _noise(x, rng, how)
    strength = np.where(rng.random(b) < how.recompress, rng.uniform(*how.coarseness, b), 0.0)
    for i in np.flatnonzero(strength):
        x[i] = recompress(x[i], float(strength[i]))
    return x.clamp(0.0, 255.0).permute(0, 1, 3, 4, 2).contiguous()


def affine(clips: int, frames: int, rng: np.random.Generator, how: Disturb) -> Array:
    """[B, T, 2, 3] for ``affine_grid``: crop, turn, mirror, stretch, alike for all frames unless the camera shakes."""
    theta = np.zeros((clips, frames, 2, 3), np.float32)
    for i in range(clips):
        side, mirror = rng.uniform(how.crop, 1.0), 1.0 if rng.random() < 0.5 else -1.0
        angle = math.radians(rng.uniform(-how.rotation, how.rotation))
        cos, sin, wide = math.cos(angle) * side, math.sin(angle) * side, rng.uniform(0.9, 1.1)
        x, y = rng.uniform(side - 1.0, 1.0 - side, 2)
        theta[i] = [[mirror * cos * wide, -sin, x], [mirror * sin * wide, cos, y]]
        if rng.random() < how.shake:
            steps = rng.normal(0.0, rng.uniform(0.002, 0.012), (frames, 2))
            theta[i, :, :, 2] += np.cumsum(steps, 0) if rng.random() < 0.5 else steps  # drifts or trembles
    return theta


def shrink(x: Tensor, stills: Tensor, rng: np.random.Generator, how: Disturb) -> Tensor:
    """Some of ``x`` [B, T, 3, S, S] a half to a quarter as large, somewhere in a still picture."""
    size = x.shape[-1]
    for i in np.flatnonzero(rng.random(len(x)) < how.small):
        times = SMALLER[int(rng.integers(len(SMALLER)))]
        side, still = size // times, stills[int(rng.integers(len(stills)))]
        top, left = (int(v) for v in rng.integers(0, size - side + 1, 2))
        little = F.avg_pool2d(x[i], times)
        x[i] = still.permute(2, 0, 1).float()
        x[i, :, :, top : top + side, left : left + side] = little
    return x


def _light(x: Tensor, rng: np.random.Generator, how: Disturb) -> Tensor:
    """Contrast, brightness, lamps that flicker, cameras without colour."""
    b, t = x.shape[:2]
    gain, bias = rng.uniform(*how.gain, (b, 1)), rng.uniform(-how.bias, how.bias, (b, 1))
    bias = bias + np.where(rng.random((b, 1)) < how.flicker, rng.normal(0.0, 8.0, (b, t)), 0.0)
    grey = _spread(rng.random((b, 1)) < how.grey, x)
    x = (x - MIDDLE) * _spread(gain, x) + MIDDLE + _spread(bias, x)
    return x * (1.0 - grey) + x.mean(2, keepdim=True) * grey


def _noise(x: Tensor, rng: np.random.Generator, how: Disturb) -> Tensor:
    level = np.where(rng.random((len(x), 1)) < 0.5, rng.uniform(0.0, how.noise, (len(x), 1)), 0.0)
    seeded = torch.Generator(x.device).manual_seed(int(rng.integers(2**31)))
    grain = torch.randn(x.shape, generator=seeded, device=x.device)
    return (x + grain * _spread(level, x)).clamp(0.0, 255.0)


def _spread(values: NDArray[np.generic], like: Tensor) -> Tensor:
    """[B, 1 or T] → [B, 1 or T, 1, 1, 1]."""
    return torch.from_numpy(np.asarray(values, np.float32)).to(like.device)[:, :, None, None, None]


def recompress(x: Tensor, coarseness: float) -> Tensor:
    """[T, 3, S, S] in 0 … 255 through JPEG's quantiser: 8×8 cosine transform, steps of the luminance table times
    ``coarseness``, and back."""
    n = torch.arange(BLOCK, dtype=torch.float32, device=x.device)
    basis = torch.cos((2.0 * n[None] + 1.0) * n[:, None] * math.pi / (2 * BLOCK)) / 2.0
    basis[0] /= math.sqrt(2.0)
    step = (torch.tensor(LUMINANCE, dtype=torch.float32, device=x.device) * coarseness).clamp(min=1.0)
    t, c, h, w = x.shape
    blocks = (x - 128.0).reshape(t, c, h // BLOCK, BLOCK, w // BLOCK, BLOCK).transpose(3, 4)  # T 3 h w 8 8
    coded = torch.round(basis @ blocks @ basis.T / step) * step
    return (basis.T @ coded @ basis).transpose(3, 4).reshape(t, c, h, w) + 128.0

"""Temporal shift: a few channels of each frame come from the frame before, a few from the one after.

Lin et al., TSM: Temporal Shift Module for Efficient Video Understanding, ICCV 2019, arXiv 1811.08383. It costs no
multiplication: the 1×1 convolution behind it mixes frames instead of channels of one frame. It stands on the residual
branch alone, so that the identity still shows each frame as it is.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamwatch.training.data import FRAMES

__all__ = ["TemporalShift"]


class TemporalShift(nn.Module):
    """[B·T, C, h, w] → the same shape, T = 8 frames a clip: the first ``channels`` are those of the frame before, as
    many behind them those of the frame after, the others stay. Nothing crosses from clip to clip: what would come from
    beyond either end is 0.

    ``channels`` is in the state, so that weights say how they are to be run.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        if not self.channels:
            return x
        clips = x.reshape(-1, FRAMES, *x.shape[1:])
        still = x.shape[1] - 2 * self.channels
        before, after, rest = torch.split(clips, [self.channels, self.channels, still], 2)
        before = F.pad(before, (0, 0, 0, 0, 0, 0, 1, -1))  # one frame on: 0 comes in, the last goes
        after = F.pad(after, (0, 0, 0, 0, 0, 0, -1, 1))
        return torch.cat([before, after, rest], 2).reshape(x.shape)

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.channels)

    def set_extra_state(self, state: Tensor) -> None:
        self.channels = int(state)

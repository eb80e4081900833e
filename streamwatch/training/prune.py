"""Structured magnitude pruning of the eyes: the weakest channels inside each inverted residual are taken out.

A channel is a row of the expansion, a depthwise kernel and a column of the projection; without all three the block is
narrower, and what comes in and goes out is as wide as before. How much a channel matters is the product of the norms of
the three, each with the scale of the batch norm behind it: how far, in Frobenius' norm, the three maps in a row are
distorted without it (lookahead pruning: Park et al., ICLR 2020, arXiv 2002.04809). Unlike the norm of one of them or
the scale alone, it stays the same if one is made larger and the next smaller.
"""

from collections.abc import Mapping

from torch import Tensor
from torch.linalg import vector_norm

from streamwatch.training.lite0 import EPSILON, Lite0, widths_of

__all__ = ["MULTIPLE", "importance", "kept", "pruned"]

MULTIPLE = 16  # int8 kernels take so many channels at a time
ROWS = ("_expand_conv.", "_bn0.", "_depthwise_conv.", "_bn1.")  # of a block: have a row a channel inside
COLUMNS = "_project_conv."
PARTS = ("expand", "depthwise", "project")


def kept(wide: int, share: float) -> int:
    """How many of ``wide`` channels are left without about this ``share``: a multiple of 16, at least 16."""
    return min(wide, max(MULTIPLE, round(wide * (1 - share) / MULTIPLE) * MULTIPLE))


def importance(weights: Mapping[str, Tensor], block: str) -> Tensor:
    """[channels inside] of the block whose weights' names begin so."""
    scale = [_scale(weights, f"{block}_bn{number}.") for number in range(3)]
    expand, depthwise, project = (weights[f"{block}_{name}_conv.weight"].flatten(1) for name in PARTS)
    rows = vector_norm(expand, dim=1) * scale[0].abs() * vector_norm(depthwise, dim=1) * scale[1].abs()
    found: Tensor = rows * vector_norm(project * scale[2][:, None], dim=0)
    return found


def _scale(weights: Mapping[str, Tensor], norm: str) -> Tensor:
    """By what a batch norm multiplies each channel."""
    scale: Tensor = weights[f"{norm}weight"] / (weights[f"{norm}running_var"] + EPSILON).sqrt()
    return scale


def pruned(lite0: Lite0, share: float) -> Lite0:
    """A narrower copy; of each block that expands about this ``share`` of the channels is gone. 0: all are left."""
    weights = dict(lite0.state_dict())
    for number, wide in enumerate(widths_of(weights)):
        block = f"_blocks.{number}."
        if f"{block}_expand_conv.weight" not in weights:
            continue
        left = importance(weights, block).topk(kept(wide, share)).indices.sort().values
        for name in [name for name in weights if name.startswith(block)]:  # what a shift moves comes in, and stays
            if name.startswith(f"{block}{COLUMNS}"):
                weights[name] = weights[name][:, left]
            elif name.startswith(tuple(block + part for part in ROWS)) and weights[name].ndim:
                weights[name] = weights[name][left]
    return Lite0.of(weights)

"""What is left of pruned eyes, fitted block by block to what the whole ones gave, before anything is trained.

Linear least squares from the channels that are left to the projection's results (He et al., Channel Pruning for
Accelerating Very Deep Neural Networks, ICCV 2017, arXiv 1707.06168). It takes seconds; gradients would need hundreds of
steps, as they move a bias by no more than the rate in each.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from streamwatch.training.lite0 import Block, Lite0

__all__ = ["FIRST", "project", "reconstruct"]

FIRST = 1  # the first block that expands, and so can be made narrower
RIDGE = 1e-3  # of the mean square of the channels: what the clips do not tell stays as it was


def reconstruct(whole: Lite0, narrow: Lite0, maps: Sequence[Tensor]) -> None:
    """The projections of ``narrow`` in place; ``maps`` [n, 16, h, w] go into block 1, and are alike in both."""
    seen = [(m, m) for m in maps]
    with torch.no_grad():
        for theirs, ours in zip(_blocks(whole), _blocks(narrow), strict=True):
            project(ours, ((ours.inside(x), theirs._project_conv(theirs.inside(y))) for x, y in seen))
            seen = [(ours(x), theirs(y)) for x, y in seen]


def _blocks(lite0: Lite0) -> list[Block]:
    return [block for block in lite0._blocks[FIRST:] if isinstance(block, Block)]


def project(block: Block, pairs: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Projection and bias (the norm's mean behind it) that come nearest to ``pairs``: what lies inside the block
    [n, c, h, w], what it shall be projected to [n, c', h, w]."""
    wide, outside = block._project_conv.in_channels, block._project_conv.out_channels
    square = torch.zeros(wide + 1, wide + 1, dtype=torch.float64)
    product = torch.zeros(wide + 1, outside, dtype=torch.float64)
    for inside, wanted in pairs:
        rows = nn.functional.pad(inside.movedim(1, -1).reshape(-1, wide), (0, 1), value=1.0)
        square += (rows.T @ rows).double()
        product += (rows.T @ wanted.movedim(1, -1).reshape(-1, outside)).double()
    weight = block._project_conv.weight
    before = nn.functional.pad(weight[:, :, 0, 0].T.double(), (0, 0, 0, 1))  # and no bias
    lacking = product - square @ before
    square.diagonal()[:wide] += RIDGE * square.diagonal()[:wide].mean() + 1e-9
    more = torch.linalg.solve(square, lacking).float()
    weight += more[:wide].T[:, :, None, None]
    mean = block._bn2.running_mean
    assert mean is not None
    mean -= more[wide]

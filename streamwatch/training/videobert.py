"""The model: a clip encoder that turns one second into one token, and one BERT over text and tokens.

After VideoBERT (Sun et al., ICCV 2019, arXiv 1904.01766); continuous tokens go in, as in CBT (arXiv 1906.05743).
B batch, T = 8 frames, S picture side, g = S/32 cells a side, C cell features, D = 384, E events, N slots, L words.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from streamwatch.training.lite0 import Lite0

__all__ = [
    "CELL_FEATURES",
    "CHANGES",
    "EXTRAS",
    "NEAR_FEATURES",
    "QUIET",
    "WIDTHS",
    "ClipEncoder",
    "Dims",
    "Joint",
    "Layer",
    "close_up",
    "most_motion",
    "pool",
]

TAPS = (4, 7, 10)  # blocks whose features are read: 40, 80 and 112 channels
WIDTHS = (40, 80, 112)
CHANGES = 3  # |Δ| from frame to frame, over half a second, and |ΔΔ|
EXTRAS = 14  # where, when and which way it moves: the last features of a look
WHOLE_FEATURES = CHANGES * sum(WIDTHS) + EXTRAS
NEAR_FEATURES = (1 + CHANGES) * sum(WIDTHS) + EXTRAS
CELL_FEATURES = NEAR_FEATURES + WHOLE_FEATURES
NEAR = 3  # the close look is a third of the picture high and wide
STEP = 16  # pixels by which it moves
SHARPNESS = 5.0  # motion weights are (|Δ| / its maximum) to this power: look where most moves
FLOOR = 0.05  # … and never 0, so that a zone in which nothing moves still has a token
QUIET = 0.05  # added before the logarithm of |Δ|: about two steps of int8
MASKED = -1e4


@dataclass(frozen=True, slots=True)
class Dims:
    """Sizes of the joint transformer; the defaults are MiniLM-L6's."""

    dim: int = 384
    layers: int = 6
    heads: int = 12
    inner: int = 1536
    events: int = 3
    ages: int = 32
    words: int = 64


class ClipEncoder(nn.Module):
    """Frames uint8 [B, 8, S, S, 3] → token [B, D], grid [B, D, g, g], motion [B, g, g]; g = S/32, S a multiple of 96.

    Two looks through the same eyes: the whole picture at half its size, of which only the change is read, and a third
    of it, where most moves, at full size. People far away are as large there as near ones are in the whole.

    The token is Σ grid·motion / Σ motion over the cells, so a zone's token is the same mean over its cells. What the
    close look shows is spread over the cells it covers: a zone that it does not touch does not see it.
    The first E channels of the grid are the clip's own event logits, hence a class activation map.
    """

    def __init__(self, dim: int = 384, lite0: Lite0 | None = None) -> None:
        super().__init__()
        self.lite0 = lite0 or Lite0()
        self.project = nn.Conv2d(WHOLE_FEATURES, dim, 1)  # standardisation is folded into its weights
        self.near = nn.Linear(NEAR_FEATURES, dim, bias=False)
        self.usual = nn.Parameter(torch.zeros(NEAR_FEATURES), requires_grad=False)  # what close looks show on average

    def taps(self, x: Tensor, clips: int) -> list[Tensor]:
        """Pictures [B·T, 3, s, s] in −1 … 1 → the maps of three blocks, averaged to cells: [B, T, c, s/16, s/16]."""
        side = x.shape[-1] // 16
        maps = []
        for m in self.lite0.stages(x, TAPS):
            cells = F.avg_pool2d(m, 2) if m.shape[-1] > side else m
            maps.append(cells.reshape(clips, -1, cells.shape[1], side, side))
        return maps

    def look(self, x: Tensor, clips: int, shown: bool) -> tuple[Tensor, Tensor]:
        """How each cell moves, and if ``shown`` what it shows [B, C, s/16, s/16]; motion weights [B, s/16, s/16]."""
        maps = self.taps(x, clips)
        features = [f for m in maps for f in (*([m.mean(1)] if shown else []), *_change(m))]
        moved = (maps[1][:, 1:] - maps[1][:, :-1]).abs().mean(2)  # B T-1 s/16 s/16
        weight = moved.mean(1)
        weight = (weight / (weight.amax((1, 2), keepdim=True) + 1e-6) + FLOOR) ** SHARPNESS
        features.append(_extras(maps, moved))
        return torch.cat(features, 1), weight

    def looks(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Cells of the whole [B, C, g, g], motion weights [B, g, g]; the close look less the usual [B, C'], and how
        much of it each cell has [B, g, g]: where it covers all, 1 over the share of motion in sight, at most 2."""
        b, _, s, _, _ = frames.shape
        half = F.avg_pool2d(_normalised(frames.flatten(0, 1).permute(0, 3, 1, 2)), 2)  # B·T 3 S/2 S/2
        row, column = most_motion(half.reshape(b, -1, 3, s // 2, s // 2))
        cells, motion = self.look(half, b, shown=False)
        close = pool(*self.look(_normalised(close_up(frames, row, column)), b, shown=True))
        cover = _covered(row, s)[:, :, None] * _covered(column, s)[:, None, :]
        share = (cover * motion).sum((1, 2)) / motion.sum((1, 2))
        return cells, motion, close - self.usual, cover / share.clamp(min=0.5)[:, None, None]

    def see(self, frames: Tensor) -> Tensor:
        """What the heads are fitted on [B, NEAR_FEATURES + WHOLE_FEATURES]: both looks, pooled."""
        cells, motion, close, cover = self.looks(frames)
        return torch.cat([close * pool(cover[:, None], motion), pool(cells, motion)], 1)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cells, motion, close, cover = self.looks(frames)
        grid = self.project(cells) + self.near(close)[:, :, None, None] * cover[:, None]  # B D g g
        return pool(grid, motion), grid, motion

    def set_heads(self, weight: Tensor, bias: Tensor) -> None:
        """token = weight [D, C] · :meth:`see` + bias [D]."""
        with torch.no_grad():
            self.near.weight.copy_(weight[:, :NEAR_FEATURES])
            self.project.weight.copy_(weight[:, NEAR_FEATURES:, None, None])
            self.project.bias.copy_(bias)  # type: ignore[union-attr]


def _normalised(x: Tensor) -> Tensor:
    """Grey levels → what Lite0 was trained on."""
    return (x.float() - 127.0) / 128.0


def most_motion(half: Tensor) -> tuple[Tensor, Tensor]:
    """[B, T, 3, S/2, S/2] → top and left [B] of the third of the picture in which it changes most, in steps of
    16 pixels of S."""
    change = (half[:, 1:] - half[:, :-1]).abs().mean((1, 2))[:, None]  # B 1 S/2 S/2
    cells = F.avg_pool2d(change, STEP // 2)  # B 1 S/16 S/16
    near = F.avg_pool2d(cells, cells.shape[-1] // NEAR, 1)
    best = near.flatten(1).argmax(1)
    return torch.div(best, near.shape[-1], rounding_mode="floor"), best % near.shape[-1]


def close_up(frames: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """uint8 [B, T, S, S, 3] → [B·T, 3, S/3, S/3], whole rows and then whole columns of 16 pixels: cheap to gather.

    By ``index_select``: what an index in brackets is exported as (GatherND) has no kernel for bytes on a GPU.
    """
    b, t, s, _, _ = frames.shape
    blocks, count = s // STEP, s // STEP // NEAR
    each = torch.arange(count, device=frames.device)
    rows = (torch.arange(b * t, device=frames.device) * blocks)[:, None] + row.repeat_interleave(t)[:, None] + each
    x = frames.reshape(b * t * blocks, STEP * s * 3).index_select(0, rows.flatten())
    x = x.reshape(b, t, count * STEP, blocks, STEP * 3).permute(0, 3, 1, 2, 4)  # B blocks T S/3 16·3
    columns = (torch.arange(b, device=frames.device) * blocks)[:, None] + column[:, None] + each
    x = x.reshape(b * blocks, t, count * STEP, STEP * 3).index_select(0, columns.flatten())
    x = x.reshape(b, count, t, count * STEP, STEP, 3).permute(0, 2, 5, 3, 1, 4)  # B T 3 S/3 S/48 16
    return x.reshape(b * t, 3, count * STEP, count * STEP)


def _covered(at: Tensor, size: int) -> Tensor:
    """Top or left [B] in steps of 16 pixels → share [B, g] of each row or column of cells, 32 pixels, in the close
    look."""
    first = torch.arange(size // 32, device=at.device) * 2
    end = torch.minimum(first + 2, at[:, None] + size // STEP // NEAR)
    return (end - torch.maximum(first, at[:, None])).clamp(min=0).float() / 2


def pool(grid: Tensor, motion: Tensor) -> Tensor:
    """Σ grid·motion / Σ motion: [B, D, g, g], [B, g, g] → [B, D]."""
    weighted = (grid * motion[:, None]).sum((2, 3))
    return weighted / motion.sum((1, 2))[:, None]


def _change(m: Tensor) -> list[Tensor]:
    """[B, T, c, h, w] → |Δ| at lags 1 and 4 and |ΔΔ|, logarithms of their means over time [B, c, h, w]."""
    step = m[:, 1:] - m[:, :-1]
    far = m[:, 4:] - m[:, :-4]
    jerk = step[:, 1:] - step[:, :-1]
    return [torch.log(QUIET + change.abs().mean(1)) for change in (step, far, jerk)]


def _extras(maps: list[Tensor], moved: Tensor) -> Tensor:
    """Where, when and which way it moves [B, 14, g, g]."""
    g = moved.shape[-1]
    axis = torch.linspace(-1.0, 1.0, g, device=moved.device)
    y = axis[None, :, None].expand(moved.shape[0], g, g)
    x = axis[None, None, :].expand(moved.shape[0], g, g)
    clock = torch.linspace(-1.0, 1.0, moved.shape[1], device=moved.device)[None, :, None, None]
    when = (moved * clock).sum(1) / (moved.sum(1) + 1e-3)  # late motion is positive
    size = [torch.log(0.01 + (m[:, 1:] - m[:, :-1]).abs().mean((1, 2))) for m in maps]
    whole = torch.log(0.01 + moved.mean((1, 2, 3)))[:, None, None].expand(-1, g, g)
    down, across, chaos = _flow(maps[0])
    rest = [y, x, y * y, x * x, when, when * y, when * x, *size, whole, down, across, chaos]
    return torch.stack(rest, 1)


def _flow(m: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Lucas–Kanade on feature maps, one velocity a cell: mean down, mean |across|, spread over time."""
    middle, step = (m[:, 1:] + m[:, :-1]) / 2, m[:, 1:] - m[:, :-1]  # B T-1 c g g
    rows = F.pad(middle[:, :, :, 2:] - middle[:, :, :, :-2], (0, 0, 1, 1)) / 2
    columns = F.pad(middle[..., 2:] - middle[..., :-2], (1, 1)) / 2
    down = -(step * rows).sum(2) / ((rows * rows).sum(2) + 1.0)  # B T-1 g g, cells a frame
    across = -(step * columns).sum(2) / ((columns * columns).sum(2) + 1.0)
    spread = ((down - down.mean(1, keepdim=True)) ** 2 + (across - across.mean(1, keepdim=True)) ** 2).mean(1)
    return down.mean(1), across.mean(1).abs(), torch.sqrt(spread + 1e-6)


class Layer(nn.Module):
    """One BERT layer (post-norm), its parameters named as in MiniLM's file."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.heads = dims.heads
        self.query, self.key, self.value, self.dense = (nn.Linear(dims.dim, dims.dim) for _ in range(4))
        self.norm, self.norm2 = nn.LayerNorm(dims.dim, eps=1e-12), nn.LayerNorm(dims.dim, eps=1e-12)
        self.up, self.down = nn.Linear(dims.dim, dims.inner), nn.Linear(dims.inner, dims.dim)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        b, n, d = x.shape  # mask: B 1 1 n, added
        q, k, v = (p(x).reshape(b, n, self.heads, -1).transpose(1, 2) for p in (self.query, self.key, self.value))
        scores = q @ k.transpose(2, 3) / (d // self.heads) ** 0.5 + mask  # B heads n n
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d)
        x = self.norm(x + self.drop(self.dense(mixed)))
        out: Tensor = self.norm2(x + self.drop(self.down(F.gelu(self.up(x)))))
        return out


class Joint(nn.Module):
    """``[CLS] text [>] visual [SEP]`` through one BERT; slots are counted backwards from now.

    visual [B, N, D], age [B, N] (0 = newest), visual_mask [B, N], text [B, L, D], text_mask [B, L] →
    event_logits [B, E] (is it happening now?), token_logits [B, N, E], align [B], video_embedding [B, D].
    """

    def __init__(self, dims: Dims = Dims()) -> None:
        super().__init__()
        self.dims = dims
        self.marks = nn.Parameter(torch.randn(3, dims.dim) * 0.02)  # [CLS], [>], [SEP]
        self.positions = nn.Parameter(torch.randn(dims.words, dims.dim) * 0.02)
        self.types = nn.Parameter(torch.randn(2, dims.dim) * 0.02)
        self.ages = nn.Parameter(torch.randn(dims.ages, dims.dim) * 0.02)
        self.scale = nn.Parameter(torch.ones(dims.dim), requires_grad=False)  # of the tokens, from the data
        self.enter = nn.Linear(dims.dim, dims.dim)
        self.norm, self.drop, self.blur = nn.LayerNorm(dims.dim, eps=1e-12), nn.Dropout(0.1), nn.Dropout(0.25)
        self.layers = nn.ModuleList(Layer(dims) for _ in range(dims.layers))
        self.event_head = nn.Linear(dims.dim, dims.events)
        self.now_head = nn.Linear(dims.dim, dims.events)
        self.direct = nn.Parameter(torch.ones(dims.events))
        self.recency = nn.Parameter(torch.zeros(dims.events, dims.ages))
        self.doubt = nn.Parameter(torch.full((dims.events,), -1.0), requires_grad=False)  # a second not yet seen
        self.peak = nn.Parameter(torch.zeros(dims.events))  # 0: mean of the newest seconds; large: their maximum
        self.align_head = nn.Linear(dims.dim, 1)
        self.embed = nn.Linear(dims.dim, dims.dim)

    def slot(self, age: Tensor) -> Tensor:
        """Age in strides [B, N] → row of the age embedding [B, N], int64."""
        return age.clamp(0, self.dims.ages - 1).long()

    def sequence(self, visual: Tensor, slot: Tensor, visual_mask: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """The last layer at ``[CLS] text [>] visual [SEP]`` [B, L+N+3, D]; ``slot`` is :meth:`slot` of the age."""
        b, _, d = visual.shape
        words = text + self.positions[1 : text.shape[1] + 1] + self.types[0]  # B L D
        seen = self.enter(self.blur(visual * self.scale)) + self.ages[slot] + self.types[1]  # B N D
        cls, arrow, end = (m.expand(b, 1, d) for m in self.marks)
        cls = cls + self.positions[0] + self.types[0]
        x = torch.cat([cls, words, arrow + self.types[1], seen, end + self.types[1]], 1)
        one = torch.ones_like(visual_mask[:, :1])
        mask = (torch.cat([one, text_mask, one, visual_mask, one], 1) - 1.0) * -MASKED
        out: Tensor = self.drop(self.norm(x))
        for layer in self.layers:
            out = layer(out, mask[:, None, None])
        return out

    def hidden(
        self, visual: Tensor, slot: Tensor, visual_mask: Tensor, text: Tensor, text_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """:meth:`sequence` at [CLS] [B, D] and at the visual slots [B, N, D]."""
        x = self.sequence(visual, slot, visual_mask, text, text_mask)
        start = text.shape[1] + 2
        return x[:, 0], x[:, start : start + visual.shape[1]]

    def decide(
        self, hidden: tuple[Tensor, Tensor], visual: Tensor, slot: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Event logits now [B, E] and of each token [B, N, E]: the token's own, corrected by its context."""
        first, slots = hidden
        each = self.direct * visual[:, :, : self.dims.events] + self.event_head(slots)
        weight = self.recency.transpose(0, 1)[slot] + self.peak * each + (mask[:, :, None] - 1.0) * -MASKED
        unseen = self.doubt.expand(each.shape[0], 1, -1)  # weighs like the newest: one second alone is half a proof
        weight = torch.cat([weight, self.peak * unseen], 1)  # B N+1 E
        now = (weight.softmax(1) * torch.cat([each, unseen], 1)).sum(1)
        return now + self.now_head(first), each

    def forward(
        self, visual: Tensor, age: Tensor, visual_mask: Tensor, text: Tensor, text_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        slot = self.slot(age)
        hidden = self.hidden(visual, slot, visual_mask, text, text_mask)
        now, each = self.decide(hidden, visual, slot, visual_mask)
        first = hidden[0]
        return now, each, self.align_head(first)[:, 0], F.normalize(self.embed(first), dim=-1)

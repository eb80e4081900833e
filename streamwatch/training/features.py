"""Every labelled clip through the frozen eyes once: the cache from which heads and transformer are trained."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from streamwatch.errors import TrainingError
from streamwatch.training.data import (
    CLEAN,
    Entry,
    Images,
    Variant,
    clips_of,
    draw_variant,
    read_pictures,
)
from streamwatch.training.graphs import to_onnx
from streamwatch.training.lite0 import pretrained_lite0
from streamwatch.training.recipe import FeatureRecipe
from streamwatch.training.videobert import ClipEncoder, pool

__all__ = ["Eyes", "Features", "See", "dump", "eyes", "load", "save", "stack"]

LONG = 30.0  # seconds from which a file is long enough to need no disturbed copies
DEFAULT = FeatureRecipe()


@dataclass(frozen=True, slots=True)
class Features:
    """``x`` float32 [n, C] pooled cell features; ``entry`` and ``variant`` int [n]; ``start``, ``end`` in the
    file's own seconds (a file played at speed 1.3 has clips of 1.3 s)."""

    x: NDArray[np.float32]
    entry: NDArray[np.int64]
    variant: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]


class See(Protocol):
    """Frames uint8 [B, 8, S, S, 3] → what is seen float32 [B, C]."""

    def __call__(self, frames: Images) -> NDArray[np.float32]: ...


class _Pooled(nn.Module):
    def __init__(self, encoder: ClipEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, frames: Tensor) -> Tensor:
        return pool(*self.encoder.cells(frames))


class Eyes:
    """Frames uint8 [B, 8, S, S, 3] → pooled cell features float32 [B, C], by ONNX Runtime (twice torch's pace)."""

    def __init__(self, graph: bytes, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, frames: Images) -> NDArray[np.float32]:
        return np.asarray(self.session.run(None, {"frames": frames})[0], np.float32)


def eyes(size: int, work: Path, threads: int = 1) -> Eyes:
    """The frozen eyes for pictures of this side, as an ONNX session; ``work`` keeps the graph."""
    path = work / f"eyes_{size}.onnx"
    model = _Pooled(ClipEncoder(lite0=pretrained_lite0())).eval()
    frames = torch.zeros(2, 8, size, size, 3, dtype=torch.uint8)
    to_onnx(model, {"frames": frames}, ["x"], path)
    return Eyes(path.read_bytes(), threads)


def _variants(entry: Entry, recipe: FeatureRecipe, rng: np.random.Generator) -> list[Variant]:
    count = 2 if entry.seconds > LONG else recipe.of_source.get(entry.source, recipe.variants)
    return [CLEAN, Variant(offset=0.5), *(draw_variant(rng, recipe.augment) for _ in range(count - 2))][:count]


def dump(
    root: Path, entries: Sequence[Entry], see: See, size: int, recipe: FeatureRecipe = DEFAULT, first: int = 0
) -> Features:
    """All clips, several times, the first time clean; ``entries`` are numbered from ``first``. Deterministic. What
    cannot be read is named and left out; if nothing can, TrainingError."""
    rows: list[tuple[NDArray[np.float32], int, int, float, float]] = []
    for number, entry in enumerate(tqdm(entries, desc="features", mininterval=5), first):
        try:
            pictures = read_pictures(root / entry.path)
        except TrainingError as error:
            tqdm.write(f"skipped: {error}", file=sys.stderr)
            continue
        for which, variant in enumerate(_variants(entry, recipe, np.random.default_rng(number))):
            for start, end, frames in clips_of(pictures, size, variant):
                rows.append((see(frames[None])[0], number, which, start, end))
    if not rows:
        raise TrainingError(f"{root}: not one of {len(entries)} clips lasts a second")
    return stack(rows)


def stack(rows: Sequence[tuple[NDArray[np.float32], int, int, float, float]]) -> Features:
    """Rows (x, entry, variant, start, end) as columns."""
    x, entry, variant, start, end = zip(*rows, strict=True)
    return Features(np.stack(x), np.array(entry), np.array(variant), np.array(start), np.array(end))


def save(features: Features, path: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, **{name: getattr(features, name) for name in Features.__slots__})
    part.replace(path)


def load(path: Path) -> Features:
    with np.load(path) as kept:
        return Features(*(kept[name] for name in Features.__slots__))

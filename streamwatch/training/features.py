"""Every labelled clip through the frozen eyes once: the cache from which heads and transformer are trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from streamwatch.training.disk import naming
from streamwatch.training.events import EVENTS
from streamwatch.training.graphs import to_onnx
from streamwatch.training.recipe import FeatureRecipe
from streamwatch.training.sight import Sight
from streamwatch.training.skipped import SHORT, Skipped
from streamwatch.training.videobert import ClipEncoder

__all__ = ["Eyes", "Features", "See", "Seeing", "dump", "eyes", "judge", "load", "save", "stack"]

Row = tuple[NDArray[np.float32], NDArray[np.float32], int, int, float, float]
LONG = 30.0  # seconds from which a file is long enough to need no disturbed copies
DEFAULT = FeatureRecipe()


@dataclass(frozen=True, slots=True)
class Features:
    """``x`` float32 [n, C] what is seen; ``own`` float32 [n, E] event logits by eyes that were not tuned on that group,
    nan where there are none; ``entry`` and ``variant`` int [n]; ``start``, ``end`` in the file's own seconds (a file
    played at speed 1.3 has clips of 1.3 s)."""

    x: NDArray[np.float32]
    own: NDArray[np.float32]
    entry: NDArray[np.int64]
    variant: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]


class See(Protocol):
    """Frames uint8 [B, 8, S, S, 3] → what is seen float32 [B, C]."""

    def __call__(self, frames: Images) -> NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Seeing:
    """``see`` for all clips; ``judges`` by group, and ``judge`` for the groups that have none, give their ``own``."""

    see: See
    judge: See | None = None
    judges: Mapping[str, See] = field(default_factory=dict)

    def own(self, group: str, frames: Images) -> NDArray[np.float32]:
        """Event logits [E], nan if nobody can say."""
        judge = self.judges.get(group, self.judge)
        return np.full(len(EVENTS), np.nan, np.float32) if judge is None else judge(frames[None])[0]


class _Seen(nn.Module):
    def __init__(self, encoder: ClipEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, frames: Tensor) -> Tensor:
        return self.encoder.see(frames)


class _Judged(_Seen):
    def forward(self, frames: Tensor) -> Tensor:
        token: Tensor = self.encoder(frames)[0]
        return token


class Eyes:
    """Frames uint8 [B, 8, S, S, 3] → what is seen float32 [B, C], by ONNX Runtime (twice torch's pace)."""

    def __init__(self, graph: bytes, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, frames: Images) -> NDArray[np.float32]:
        return np.asarray(self.session.run(None, {"frames": frames})[0], np.float32)


def eyes(sight: Sight, size: int, work: Path, threads: int = 1) -> Eyes:
    """What the heads are fitted on, as an ONNX session for pictures of this side; ``work`` keeps the graph."""
    return _graph(_Seen(sight.encoder()), size, work / f"eyes_{size}_{sight.digest()}.onnx", threads)


def judge(sight: Sight, size: int, work: Path, threads: int = 1) -> Eyes:
    """The event logits [B, E] alone."""
    return _graph(_Judged(sight.encoder()), size, work / f"judge_{size}_{sight.digest()}.onnx", threads)


def _graph(model: nn.Module, size: int, path: Path, threads: int) -> Eyes:
    to_onnx(model.eval(), {"frames": torch.zeros(2, 8, size, size, 3, dtype=torch.uint8)}, ["x"], path, optimise=False)
    return Eyes(path.read_bytes(), threads)


def _variants(entry: Entry, recipe: FeatureRecipe, rng: np.random.Generator) -> list[Variant]:
    count = 2 if entry.seconds > LONG else recipe.of_source.get(entry.source, recipe.variants)
    return [CLEAN, Variant(offset=0.5), *(draw_variant(rng, recipe.augment) for _ in range(count - 2))][:count]


def dump(
    root: Path, entries: Sequence[Entry], eyes: Seeing, size: int, recipe: FeatureRecipe = DEFAULT, first: int = 0
) -> Features:
    """All clips, several times, the first time clean; ``entries`` are numbered from ``first``. Deterministic. What
    cannot be read or lasts less than a second is named and left out; if nothing is left, TrainingError."""
    rows: list[Row] = []
    skipped = Skipped(len(entries))
    for number, entry in enumerate(tqdm(entries, desc="features", mininterval=5), first):
        try:
            pictures = read_pictures(root / entry.path)
        except TrainingError as error:
            skipped.failed(error)
            continue
        before = len(rows)
        for which, variant in enumerate(_variants(entry, recipe, np.random.default_rng(number))):
            for start, end, frames in clips_of(pictures, size, variant):
                own = eyes.own(entry.group, frames)
                rows.append((eyes.see(frames[None])[0], own, number, which, start, end))
        if len(rows) == before:
            skipped.left_out(entry.path, SHORT)
    if not rows:
        raise TrainingError(f"{root}: not one of {len(entries)} clips lasts a second")
    return stack(rows)


def stack(rows: Sequence[Row]) -> Features:
    """Rows (x, own, entry, variant, start, end) as columns."""
    x, own, *rest = zip(*rows, strict=True)
    return Features(np.stack(x), np.stack(own), *(np.array(column) for column in rest))


def save(features: Features, path: Path) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with naming(part), part.open("wb") as file:
        np.savez(file, **{name: getattr(features, name) for name in Features.__slots__})
    part.replace(path)


def load(path: Path) -> Features:
    with np.load(path) as kept:
        return Features(*(kept[name] for name in Features.__slots__))

"""Windows with what is told of them: for pre-training, which asks for captions and words but not for events."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwatch.training.captions import caption, join
from streamwatch.training.codebook import Codebook, motion
from streamwatch.training.data import Segment
from streamwatch.training.dataset import Dataset
from streamwatch.training.events import EVENTS
from streamwatch.training.labels import first_event
from streamwatch.training.mixing import kept_seconds

__all__ = ["Narrated", "Told", "draw_told", "narrate"]

Array = NDArray[np.float32]
ALONE = 0.3  # of the windows hold one clip only, as after a reconnect
OVER = 0.2  # seconds by which a caption must overlap to be told


@dataclass(frozen=True, slots=True)
class Narrated:
    """One file in order of time: ``tokens`` [n, D], ``words`` [n, 2], ``target`` [n, 32], ``times`` [n, 2] in seconds;
    ``told`` with its times; ``label`` of the file."""

    tokens: Array
    words: NDArray[np.int64]
    target: Array
    times: NDArray[np.float64]
    told: tuple[Segment, ...]
    label: str
    source: str
    group: str


@dataclass(frozen=True, slots=True)
class Told:
    """visual [B, N, D], age [B, N], mask [B, N], words [B, N, 2], target [B, N, 32]; a caption a window, ``keys`` that
    are equal where captions mean the same, ``groups`` and ``sources`` that the windows come from."""

    visual: Array
    age: Array
    mask: Array
    words: NDArray[np.int64]
    target: Array
    captions: tuple[str, ...]
    keys: tuple[str, ...]
    groups: tuple[str, ...]
    sources: tuple[str, ...]


def narrate(dataset: Dataset, tokens: Array, book: Codebook) -> list[Narrated]:
    """One for each file and variant."""
    features, entries = dataset.features, dataset.entries
    moved = motion(features.x)
    words, target = book(moved), book.target(moved)
    found = []
    keys = features.entry * 1000 + features.variant
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        rows = rows[np.argsort(features.start[rows])]
        entry = entries[int(key) // 1000]
        told = tuple(s for s in dataset.segments.get(entry.path, ()) if s[3])
        times = np.stack([features.start[rows], features.end[rows]], 1)
        here = (tokens[rows], words[rows], target[rows])
        found.append(Narrated(*here, times, told, first_event(entry), entry.source, entry.group))
    return found


def _what_is_told(one: Narrated, begin: int, end: int, joined: float, rng: np.random.Generator) -> tuple[str, str]:
    """(caption, key) of seconds ``begin`` to ``end`` − 1: what somebody wrote of them, else a way to say the label."""
    first, last = one.times[begin, 0], one.times[end - 1, 1]
    near = [s for s in one.told if min(s[1], last) - max(s[0], first) > OVER]
    if not near:
        return caption(one.label, rng, joined), one.label
    chosen = near[int(rng.integers(len(near)))]
    texts = [s[3] for s in near] if rng.random() < joined else [chosen[3]]
    event = next((event for event in EVENTS if any(s[2] == event for s in near)), "")
    return join(texts), event or chosen[3]


def _window(
    clips: Sequence[Narrated], size: int, joined: float, rng: np.random.Generator
) -> tuple[list[tuple[Narrated, int, int]], str, str]:
    """Pieces (file, begin, end), oldest first, ``size`` seconds at most; caption and key of the newest piece."""
    labels = sorted({c.label for c in clips})
    label = labels[int(rng.integers(len(labels)))]
    fitting = [c for c in clips if c.label == label]
    main = fitting[int(rng.integers(len(fitting)))]
    end = int(rng.integers(1, len(main.tokens) + 1))
    begin = max(0, end - size)
    pieces, left = [(main, begin, end)], size - (end - begin)
    scene = [c for c in clips if c.group == main.group]
    while left > 0 and rng.random() >= ALONE / 4:
        other = scene[int(rng.integers(len(scene)))]
        taken = min(left, len(other.tokens))
        pieces.insert(0, (other, len(other.tokens) - taken, len(other.tokens)))
        left -= taken
    return pieces, *_what_is_told(main, begin, end, joined, rng)


def draw_told(
    clips: Sequence[Narrated], count: int, size: int, rng: np.random.Generator, joined: float = 0.3, subsample: int = 1
) -> Told:
    """``count`` random windows of ``size`` slots, filled up with what else is known of the same place; each keeps every
    1st … ``subsample``-th second, counted from now (VideoBERT sub-samples 1–5)."""
    dim, wide = clips[0].tokens.shape[1], clips[0].target.shape[1]
    visual, target = np.zeros((count, size, dim), np.float32), np.zeros((count, size, wide), np.float32)
    mask, words = np.zeros((count, size), np.float32), np.zeros((count, size, 2), np.int64)
    said: list[tuple[str, str, str, str]] = []  # caption, key, group, source
    for row in range(count):
        pieces, told, key = _window(clips, size, joined, rng)
        length = sum(end - begin for _, begin, end in pieces)
        where = slice(size - length, size)
        visual[row, where] = np.concatenate([c.tokens[a:b] for c, a, b in pieces])
        target[row, where] = np.concatenate([c.target[a:b] for c, a, b in pieces])
        words[row, where] = np.concatenate([c.words[a:b] for c, a, b in pieces])
        mask[row, where] = 1.0
        main = pieces[-1][0]
        said.append((told, key, main.group, main.source))
    age = np.broadcast_to(np.arange(size - 1, -1, -1, dtype=np.float32), (count, size)).copy()
    if subsample > 1:
        mask *= kept_seconds(age, subsample, rng)
        visual *= mask[:, :, None]
    captions, keys, groups, sources = zip(*said, strict=True)
    return Told(visual, age, mask, words, target, captions, keys, groups, sources)

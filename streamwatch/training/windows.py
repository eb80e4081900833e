"""Windows as the live system sees them: full, part-filled after a reconnect, with holes, before, during and after."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwatch.training.events import EVENTS
from streamwatch.training.labels import now_targets

__all__ = ["Batch", "Stream", "draw_batch", "every_window"]

Array = NDArray[np.float32]
ODDS = {"normal": 0.4, "fight": 0.22, "fall": 0.25, "shoplifting": 0.13}
EVENLY = ("normal", "fall")


@dataclass(frozen=True, slots=True)
class Stream:
    """The tokens of one file in order: ``tokens`` [n, D], ``labels`` [n, E] with nan; of the whole file ``label``, the
    first event that it shows or ``normal``, and ``truth`` [E], whether it shows each event, nan where nobody looked."""

    tokens: Array
    labels: Array
    source: str
    group: str
    label: str
    truth: Array


@dataclass(frozen=True, slots=True)
class Batch:
    """visual [B, N, D], age [B, N], mask [B, N]; ``now`` [B, E] and ``each`` [B, N, E] targets with nan."""

    visual: Array
    age: Array
    mask: Array
    now: Array
    each: Array
    labels: tuple[str, ...]


def _lay(pieces: Sequence[tuple[Array, Array]], size: int) -> tuple[Array, Array, Array]:
    """The newest ``size`` of the joined pieces, at the end of ``size`` slots: tokens, mask, labels."""
    tokens = np.concatenate([t for t, _ in pieces])[-size:]
    labels = np.concatenate([y for _, y in pieces])[-size:]
    visual = np.zeros((size, tokens.shape[1]), np.float32)
    each = np.full((size, labels.shape[1]), np.nan, np.float32)
    mask = np.zeros(size, np.float32)
    visual[-len(tokens) :], each[-len(tokens) :], mask[-len(tokens) :] = tokens, labels, 1.0
    return visual, mask, each


def _pick(streams: Sequence[Stream], label: str, rng: np.random.Generator, like: Stream | None = None) -> Stream:
    fitting = [s for s in streams if s.label == label]
    if like is not None:
        near = [s for s in fitting if s.group == like.group] or [s for s in fitting if s.source == like.source]
        fitting = near or fitting
    chosen: Stream = fitting[int(rng.integers(len(fitting)))] if fitting else streams[0]
    return chosen


def _draw(streams: Sequence[Stream], size: int, rng: np.random.Generator) -> tuple[Array, Array, Array, Array, str]:
    kinds = {s.label for s in streams}  # data of one's own may lack an event
    odds = np.array([odd * (kind in kinds) for kind, odd in ODDS.items()])
    label = str(rng.choice(list(ODDS), p=odds / odds.sum()))
    main = _pick(streams, label, rng)
    if label in EVENLY and rng.random() < 0.5:  # by source and by file in turn: some sources have many files
        sources = sorted({s.source for s in streams if s.label == label})
        source = sources[int(rng.integers(len(sources)))]
        main = _pick([s for s in streams if s.source == source], label, rng)
    end = len(main.tokens) if main.label == "shoplifting" else int(rng.integers(1, len(main.tokens) + 1))
    begin = max(0, end - size)
    pieces = [(main.tokens[begin:end], main.labels[begin:end])]
    whole = (end - begin) / len(main.tokens)
    if rng.random() < 0.6 and main.label != "shoplifting":
        for _ in range(int(rng.integers(1, 6))):
            other = _pick(streams, "normal", rng, main)
            pieces.insert(0, (other.tokens, other.labels))
        if main.label == "fight" and rng.random() < 0.5:
            again = _pick(streams, "fight", rng, main)
            pieces.append((again.tokens, again.labels))
    if main.label == "fight" and rng.random() < 0.35:  # over, and life goes on
        other = _pick(streams, "normal", rng, main)
        pieces.append((other.tokens[:6], other.labels[:6]))
    visual, mask, each = _lay(pieces, size)
    if rng.random() < 0.35 and main.label != "shoplifting":  # after a reconnect
        mask[: size - int(rng.integers(1, size + 1))] = 0.0
    if rng.random() < 0.3:
        mask[:-1] *= rng.random(size - 1) > 0.12
    now = now_targets(each[mask > 0], whole)
    seen = "normal" if np.nanmax(np.append(now, 0.0)) < 0.5 else EVENTS[int(np.nanargmax(now))]
    return visual * mask[:, None], mask, each, now, seen


def draw_batch(streams: Sequence[Stream], count: int, size: int, rng: np.random.Generator) -> Batch:
    """``count`` random windows of ``size`` slots, oldest first."""
    visual, mask, each, now, labels = zip(*(_draw(streams, size, rng) for _ in range(count)), strict=True)
    age = np.broadcast_to(np.arange(size - 1, -1, -1, dtype=np.float32), (count, size))
    return Batch(np.stack(visual), age.copy(), np.stack(mask), np.stack(now), np.stack(each), labels)


def every_window(tokens: Array, size: int) -> tuple[Array, Array, Array]:
    """All windows of one stream as the live path forms them, one a second: visual, age, mask."""
    count, dim = tokens.shape
    visual, mask = np.zeros((count, size, dim), np.float32), np.zeros((count, size), np.float32)
    for i in range(count):
        part = tokens[max(0, i + 1 - size) : i + 1]
        visual[i, -len(part) :], mask[i, -len(part) :] = part, 1.0
    age = np.broadcast_to(np.arange(size - 1, -1, -1, dtype=np.float32), (count, size)).copy()
    return visual, age, mask

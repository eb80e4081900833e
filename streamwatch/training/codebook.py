"""Visual words: what moves, as a product of how much and in which pattern.

VideoBERT clusters what S3D sees; on a few hundred clips of few cameras such words are names of places (94 % occurred in
one video only). Words of motion are not: |Δ| of feature maps, its logarithmic size in ``MAGNITUDES`` bins of equal
counts, and its direction by hierarchical k-means, ``BRANCHES`` × ``BRANCHES`` patterns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import TrainingError
from streamwatch.training.videobert import CELL_FEATURES, CHANGES, NEAR_FEATURES, QUIET, WIDTHS

__all__ = ["BRANCHES", "COMPONENTS", "MAGNITUDES", "PATTERNS", "Codebook", "figures", "fit_codebook", "motion"]

Matrix = NDArray[np.float32]
MAGNITUDES = 8
BRANCHES = 8
COMPONENTS = 32
PATTERNS = BRANCHES * BRANCHES
ENOUGH = 30  # tokens a word needs to be learnt


@dataclass(frozen=True, slots=True)
class Codebook:
    """``edges`` [7] of the log magnitude; ``mean`` [C] and ``basis`` [C, 32] of directions; ``coarse`` [8, 32] and
    ``fine`` [8, 8, 32] centres."""

    edges: Matrix
    mean: Matrix
    basis: Matrix
    coarse: Matrix
    fine: Matrix

    def target(self, moved: Matrix) -> Matrix:
        """The pattern before it is quantised [n, 32]."""
        return np.asarray((_direction(moved) - self.mean) @ self.basis, np.float32)

    def __call__(self, moved: Matrix) -> NDArray[np.int64]:
        """Words [n, 2]: magnitude 0–7 and pattern 0–63."""
        where = self.target(moved)
        first = _nearest(where, self.coarse)
        second = np.zeros_like(first)
        for branch in np.unique(first):
            rows = first == branch
            second[rows] = _nearest(where[rows], self.fine[branch])
        return np.stack([np.digitize(_size(moved), self.edges), first * BRANCHES + second], 1)

    def centres(self) -> Matrix:
        """[64, 32] in the order of the patterns."""
        return self.fine.reshape(PATTERNS, -1)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(file, **asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Codebook":
        with np.load(path) as kept:
            return cls(*(kept[name] for name in cls.__slots__))


def motion(x: Matrix) -> Matrix:
    """|Δ| from one frame to the next of each channel of the three maps of the whole picture [n, 232], out of what is
    seen [n, C], which holds its logarithm."""
    if x.shape[1] != CELL_FEATURES:
        raise TrainingError(f"words of motion need Lite0's {CELL_FEATURES} features, not {x.shape[1]}")
    parts, begin = [], NEAR_FEATURES
    for width in WIDTHS:
        parts.append(x[:, begin : begin + width])
        begin += CHANGES * width
    return np.asarray(np.maximum(np.exp(np.concatenate(parts, 1)) - QUIET, 0.0), np.float32)


def fit_codebook(moved: Matrix, seed: int = 0) -> Codebook:
    """Raises TrainingError for fewer tokens than patterns."""
    from sklearn.cluster import KMeans

    if len(moved) < 2 * PATTERNS:
        raise TrainingError(f"{len(moved)} seconds are too few for {PATTERNS} patterns of motion")
    edges = np.quantile(_size(moved), np.linspace(0, 1, MAGNITUDES + 1)[1:-1])
    direction = _direction(moved)
    mean = direction.mean(0)
    _, vectors = np.linalg.eigh(np.cov((direction - mean).T))
    basis = vectors[:, ::-1][:, :COMPONENTS]
    where = (direction - mean) @ basis
    top = KMeans(BRANCHES, n_init=4, random_state=seed).fit(where)
    fine = []
    for branch in range(BRANCHES):
        inside = where[top.labels_ == branch]
        count = min(BRANCHES, len(inside))
        centres = KMeans(count, n_init=4, random_state=seed).fit(inside).cluster_centers_
        fine.append(np.concatenate([centres, np.repeat(centres[:1], BRANCHES - count, 0)]))
    parts = (edges, mean, basis, top.cluster_centers_, np.stack(fine))
    return Codebook(*(np.asarray(part, np.float32) for part in parts))


def figures(
    book: Codebook, train: Matrix, held_out: Matrix, groups: Sequence[str], streams: Sequence[NDArray[np.int64]]
) -> Mapping[str, float]:
    """Whether words carry over. ``groups`` [n] of the rows of ``train``; ``streams``: rows of ``train``, in order of
    time, of each file.

    ``residual_*``: share of the patterns' variance that the words do not say; ``one_group``: share of the words that
    occur in one group only; ``next_is_previous``: share of seconds with the pattern of the second before.
    """
    words = book(train)
    whole = words[:, 0] * PATTERNS + words[:, 1]
    counts = np.bincount(whole)
    used = counts[counts > 0]
    names = np.array(groups)
    repeated = np.flatnonzero(counts > 1)
    alone = [len(np.unique(names[whole == word])) == 1 for word in repeated]
    pairs = [words[rows[1:], 1] == words[rows[:-1], 1] for rows in streams if len(rows) > 1]
    return {
        "words": float(len(used)),
        "tokens_per_word_median": float(np.median(used)),
        "words_with_too_few_tokens": float((used < ENOUGH).mean()),
        "residual_train": _residual(book, train),
        "residual_held_out": _residual(book, held_out),
        "one_group": float(np.mean(alone)) if alone else float("nan"),
        "next_is_previous": float(np.concatenate(pairs).mean()) if pairs else float("nan"),
    }


def _residual(book: Codebook, moved: Matrix) -> float:
    if not len(moved):
        return float("nan")
    where = book.target(moved)
    left = ((where - book.centres()[book(moved)[:, 1]]) ** 2).sum(1).mean()
    spread = (where**2).sum(1).mean()
    return float(left / max(float(spread), 1e-12))


def _size(moved: Matrix) -> Matrix:
    return np.asarray(np.log(np.linalg.norm(moved, axis=1) + 1e-3), np.float32)


def _direction(moved: Matrix) -> Matrix:
    return np.asarray(moved / (np.linalg.norm(moved, axis=1, keepdims=True) + 1e-6), np.float32)


def _nearest(points: Matrix, centres: Matrix) -> NDArray[np.int64]:
    distance = (centres**2).sum(1)[None] - 2 * points @ centres.T
    return np.asarray(distance.argmin(1), np.int64)

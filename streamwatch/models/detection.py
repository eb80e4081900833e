"""What the model says about a window: tokens in, detections out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CameraState", "Detection", "Gap", "ModelInfo", "Token", "Vector"]

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model spoke: ``sha256`` is that of the pack's card, which holds those of all its files."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Token:
    """One clip after the encoder.

    ``embedding`` float32 [D]; ``grid`` float32 [D, g, g], whose mean weighted by ``motion`` float32 [g, g]
    is the embedding (so that a zone's token costs no second pass of the encoder); ``activity`` float32 [g, g] is how
    much each cell moves, in grey levels.
    """

    camera: str
    start: float
    end: float
    embedding: Vector
    grid: Vector
    motion: Vector
    activity: Vector
    epoch: int
    index: int


@dataclass(frozen=True, slots=True)
class Detection:
    """The scores of one window of one camera (or of one zone in it).

    ``start`` and ``end`` are UTC seconds of the window's first and last frame; ``zone`` is None for the whole
    picture; ``scores`` maps event → calibrated probability; ``motion`` is how much moves in the
    newest clip, in grey levels above the noise; ``filled`` is the share of the window's slots that hold a token;
    ``model`` is the pack that spoke.
    """

    camera: str
    start: float
    end: float
    zone: str | None
    scores: Mapping[str, float]
    motion: float
    filled: float
    model: ModelInfo


@dataclass(frozen=True, slots=True)
class Gap:
    """The stream of ``camera`` broke off at ``at`` (UTC seconds)."""

    camera: str
    at: float


@dataclass(frozen=True, slots=True)
class CameraState:
    """``camera`` changed to ``state`` (online, offline, …) at ``at`` (UTC seconds)."""

    camera: str
    state: str
    at: float

"""The clip encoder before its heads are fitted: eyes that were tuned on events, with copies that never saw a fold."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamwatch.errors import TrainingError
from streamwatch.training.data import Images
from streamwatch.training.events import EVENTS
from streamwatch.training.lite0 import Lite0, pretrained_lite0
from streamwatch.training.run_state import read_whole, write_atomically
from streamwatch.training.videobert import CELL_FEATURES, NEAR_FEATURES, ClipEncoder

__all__ = ["Sight", "Tuned", "blend", "untuned"]


@dataclass(frozen=True, slots=True)
class Sight:
    """``usual`` [C'] is what a close look shows on average; ``weight`` [E, C] and ``bias`` [E] make event logits of
    what :meth:`ClipEncoder.see` gives."""

    lite0: Lite0
    usual: Tensor
    weight: Tensor
    bias: Tensor

    def encoder(self, dim: int = len(EVENTS)) -> ClipEncoder:
        """With heads for the event logits alone, or with ``dim`` that are still to be set."""
        encoder = ClipEncoder(dim, self.lite0)
        encoder.usual.copy_(self.usual)
        if dim == len(EVENTS):
            encoder.set_heads(self.weight, self.bias)
        return encoder.eval()

    def digest(self) -> str:
        found = hashlib.sha256(self.usual.numpy().tobytes())
        for name, x in sorted(self.lite0.state_dict().items()):
            found.update(name.encode() + x.numpy().tobytes())
        return found.hexdigest()[:12]

    def state(self) -> dict[str, Any]:
        return {"lite0": self.lite0.state_dict(), "usual": self.usual, "weight": self.weight, "bias": self.bias}

    @classmethod
    def of(cls, state: dict[str, Any]) -> "Sight":
        sight = cls(Lite0.of(state["lite0"]), state["usual"], state["weight"], state["bias"])
        shapes = tuple(tuple(x.shape) for x in (sight.usual, sight.weight, sight.bias))
        if shapes != ((NEAR_FEATURES,), (len(EVENTS), CELL_FEATURES), (len(EVENTS),)):
            raise ValueError(f"shapes {shapes}")
        return sight


@dataclass(frozen=True, slots=True)
class Tuned:
    """``sight`` has seen all of the training clips; each of ``folds`` all but those of its groups, so that its logits
    say of these what the real thing says of cameras it has never seen. ``origin`` is what they were made of, see
    :mod:`streamwatch.training.origin`; None in files from before it was kept."""

    sight: Sight
    folds: tuple[tuple[frozenset[str], Sight], ...] = ()
    origin: Mapping[str, Any] | None = None

    def save(self, path: Path) -> None:
        folds = [{"groups": sorted(groups), **sight.state()} for groups, sight in self.folds]
        origin = {} if self.origin is None else {"origin": dict(self.origin)}
        write_atomically(path, {**self.sight.state(), "folds": folds, **origin})

    @classmethod
    def load(cls, path: Path) -> "Tuned":
        """Raises FileNotFoundError, and TrainingError for a file that is none."""
        kept = read_whole(path)
        try:
            folds = tuple((frozenset(fold["groups"]), Sight.of(fold)) for fold in kept["folds"])
            return cls(Sight.of(kept), folds, kept.get("origin"))
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{path}: not an encoder that training left: {error}") from error


def blend(sights: Sequence[Sight]) -> Sight:
    """The mean of all that they are; for runs from the same weights, which are near enough to each other for that."""

    def mean(parts: Sequence[Tensor]) -> Tensor:
        return torch.stack([part.float() for part in parts]).mean(0).to(parts[0].dtype)

    states = [sight.state() for sight in sights]
    kept = {name: mean([state[name] for state in states]) for name in ("usual", "weight", "bias")}
    names = states[0]["lite0"]
    return Sight.of({**kept, "lite0": {name: mean([state["lite0"][name] for state in states]) for name in names}})


def untuned(clips: Iterable[Images], shifted: Mapping[int, int] | None = None) -> Tuned:
    """ImageNet's eyes, which know no event; ``clips`` uint8 [8, S, S, 3] tell them what is usual. ``shifted``: as in
    :class:`Lite0`.

    Raises ModuleNotFoundError without the package that holds the weights.
    """
    lite0 = pretrained_lite0(shifted)
    encoder = ClipEncoder(1, lite0).eval()
    with torch.inference_mode():
        close = [encoder.looks(torch.from_numpy(np.ascontiguousarray(clip))[None])[2][0] for clip in clips]
    usual = torch.stack(close).mean(0) if close else torch.zeros(NEAR_FEATURES)
    nothing = torch.zeros(len(EVENTS), CELL_FEATURES), torch.zeros(len(EVENTS))
    return Tuned(Sight(lite0, usual.clone(), *nothing))

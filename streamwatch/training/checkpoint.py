"""What training leaves in a file: both networks, and all that is needed to make them again or go on from them."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamwatch.errors import TrainingError
from streamwatch.training.heads import Heads
from streamwatch.training.lite0 import Lite0
from streamwatch.training.recipe import Recipe
from streamwatch.training.run_state import read_whole, write_atomically
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import ClipEncoder, Dims, Joint

__all__ = ["Checkpoint"]

EYES = "lite0."  # begins the names of their weights


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``heads`` are the encoder's last layer on its own; with a foreign ``recipe.features.backbone`` they are all there
    is of an encoder, and no pack can be made of it. Files of before recipes have neither. ``guessing`` is what a
    pre-training names hidden seconds and words with, see :func:`streamwatch.training.curriculum.load_pretraining`."""

    encoder: ClipEncoder
    joint: Joint
    settings: Settings
    recipe: Recipe | None = None
    heads: Heads | None = None
    guessing: Mapping[str, Tensor] | None = None

    def save(self, path: Path) -> None:
        state = {"encoder": self.encoder.state_dict(), "joint": self.joint.state_dict()}
        made: dict[str, Any] = {"settings": self.settings.model_dump(), "dims": asdict(self.joint.dims)}
        if self.recipe is not None:
            made["recipe"] = self.recipe.model_dump_json()
        if self.heads is not None:
            parts = {"weight": self.heads.weight, "bias": self.heads.bias}
            made["heads"] = {name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in parts.items()}
        if self.guessing is not None:
            made["guessing"] = dict(self.guessing)
        write_atomically(path, {**state, **made})

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Raises FileNotFoundError, and TrainingError for a file that is none."""
        kept = read_whole(path)
        try:
            eyes = {name.removeprefix(EYES): x for name, x in kept["encoder"].items() if name.startswith(EYES)}
            joint, encoder = Joint(Dims(**kept["dims"])), ClipEncoder(kept["dims"]["dim"], Lite0.of(eyes))
            joint.load_state_dict(kept["joint"])
            encoder.load_state_dict(kept["encoder"])
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"{path}: not a checkpoint that training left: {error}") from error
        recipe = Recipe.model_validate(json.loads(kept["recipe"])) if "recipe" in kept else None
        heads = Heads(*(kept["heads"][name].numpy() for name in ("weight", "bias"))) if "heads" in kept else None
        return cls(encoder.eval(), joint.eval(), Settings(**kept["settings"]), recipe, heads, kept.get("guessing"))

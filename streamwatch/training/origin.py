"""What tuned eyes were made of, kept in their file: others are not taken for those that are asked for.

A clip that went from ``train`` to ``val`` after tuning would be measured by eyes that know it by heart.
"""

import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from streamwatch.errors import TrainingError
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.manifest import Manifest
from streamwatch.training.recipe import EncoderRecipe, Recipe
from streamwatch.training.sight import Tuned

__all__ = ["Origin", "refuse_other_eyes"]

LATER = {"heads"}  # of the recipe's section: not looked at before the heads are fitted
NAMED = 3  # differences that are told


@dataclass(frozen=True, slots=True)
class Origin:
    """``how`` is the recipe's section ``encoder``, its keys as a recipe would name them from there; ``clips`` are path
    and group of what was tuned on."""

    how: dict[str, Any]
    size: int
    seed: int
    clips: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, manifest: Manifest, recipe: Recipe, left_out: Collection[str] = ()) -> "Origin":
        """The split ``train`` without the groups ``left_out``."""
        train = (e for e in manifest.entries if e.split == "train" and e.group not in left_out)
        how = _flat(recipe.encoder) if recipe.encoder.steps else {"steps": 0}
        return cls(how, recipe.train.size, recipe.train.seed, tuple(sorted((e.path, e.group) for e in train)))

    def state(self) -> dict[str, Any]:
        return {"how": self.how, "size": self.size, "seed": self.seed, "clips": [list(row) for row in self.clips]}

    def accept(self, path: Path, kept: Mapping[str, Any] | None, any_seed: bool = False) -> None:
        """Raises TrainingError if the eyes in ``path``, which keep that :meth:`state`, are of another origin.

        Eyes without one are from before files kept it: they are taken, with a warning. ``any_seed``: so are those of
        another seed, as one tries other seeds for what is trained behind the same eyes.
        """
        if kept is None:
            _warn(f"{path}: does not say on which clips these eyes were tuned, nor how: taken unchecked")
            return
        found = list(self._differences(kept))
        if kept["seed"] != self.seed:
            said = f"seed: {kept['seed']}, now {self.seed}"
            if any_seed:
                _warn(f"{path}: the eyes stay those of another {said}")
            else:
                found.append(said)
        if found:
            more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
            raise TrainingError(
                f"{path}: eyes of another origin: {'; '.join(found[:NAMED])}{more}. To tune anew, remove encoder.pt "
                "and the folders encoder-* beside it, or take another --work"
            )

    def _differences(self, kept: Mapping[str, Any]) -> Iterator[str]:
        usual = _flat(EncoderRecipe())
        untuned = not (self.how["steps"] and kept["how"]["steps"])
        known = {key for key in kept["how"] if key.partition(".")[0] in EncoderRecipe.model_fields}
        for key in ["steps"] if untuned else sorted(self.how.keys() | known):
            usually = usual.get(key)  # what a key that came later meant
            before, value = kept["how"].get(key, usually), self.how.get(key, usually)
            if before != value:
                yield f"encoder.{key}: {before}, now {value}"
        if kept["size"] != self.size:
            yield f"train.size: {kept['size']}, now {self.size}"
        before, now = ({(path, group) for path, group in rows} for rows in (kept["clips"], self.clips))
        for path, group in sorted(before - now):
            yield f"{path} (group {group}) was tuned on, and is not in train now"
        for path, group in sorted(now - before):
            yield f"{path} (group {group}) is in train now, and was not tuned on"


def refuse_other_eyes(start: Checkpoint, tuned: Tuned | None, recipe: Recipe, name: str) -> None:
    """Raises TrainingError if ``start``, called ``name``, learnt from tokens that others saw: ``tuned`` eyes, or where
    they are None the recipe's backbone."""
    before, now = start.recipe.features.backbone if start.recipe is not None else None, recipe.features.backbone
    if before != now:
        raise TrainingError(f"{name}: saw through {before or 'Lite0'}, this recipe through {now or 'Lite0'}")
    if tuned is None:
        return
    theirs, ours = start.encoder.lite0.state_dict(), tuned.sight.lite0.state_dict()
    if theirs.keys() != ours.keys() or not all(torch.equal(x, theirs[key]) for key, x in ours.items()):
        raise TrainingError(
            f"{name}: has other eyes than encoder.pt of this --work, so its tokens mean something else; pre-train with "
            "the same --clips and --work, or both with encoder: {steps: 0}"
        )


def _flat(how: EncoderRecipe) -> dict[str, Any]:
    """``disturb: {small: …}`` as ``disturb.small``."""
    found: dict[str, Any] = {}
    for key, value in how.model_dump(mode="json", exclude=LATER).items():
        found |= {f"{key}.{name}": x for name, x in value.items()} if isinstance(value, dict) else {key: value}
    return found


def _warn(text: str) -> None:
    tqdm.write(text, file=sys.stderr)

"""What a pack says of itself, ``card.json``: from its recipe where that speaks of these clips, else from the clips."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from tqdm import tqdm

from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.data import Entry
from streamwatch.training.events import EVENTS
from streamwatch.training.recipe import CardRecipe, Recipe, load_recipe, recipe_names

__all__ = ["DESCRIPTIONS", "digest", "draft", "limits", "named", "sources", "write_card"]

DESCRIPTIONS = {
    "fight": "people hit, kick or wrestle with each other",
    "fall": "a person falls down",
    "shoplifting": "a person hides goods",
}
NOT_RUN = ("card.json", "MODEL_CARD.md", "evaluation.json")  # what is only read, by people and programs
NEUTRAL = {"scale": 1.0, "bias": 0.0, "on": 0.7, "off": 0.5}


def digest(entries: Sequence[Entry]) -> str:
    """Of which clips these are and what is said of them: of path, group, split, labels and what was looked for."""
    rows = [
        [e.path, e.group, e.split, sorted({e.label, *e.also}), None if e.annotates is None else sorted(e.annotates)]
        for e in entries
    ]
    return hashlib.sha256(json.dumps(sorted(rows, key=str)).encode()).hexdigest()[:16]


def named(recipe: Recipe | None, entries: Sequence[Entry]) -> tuple[Recipe, CardRecipe]:
    """By what recipe a pack is named, and what its card says.

    A checkpoint from before recipes had cards has that of the shipped recipe of its name. A card that speaks of other
    clips is not taken, nor is its name: the pack is another one.
    """
    recipe = recipe or Recipe()
    card = recipe.card
    if card is None:
        card = (load_recipe(recipe.name).card if recipe.name in recipe_names() else None) or CardRecipe()
    found = digest(entries)
    if not card.clips or card.clips == found:
        return recipe, card
    own = Recipe().name
    tqdm.write(
        f"recipe {recipe.name}: its card speaks of other clips ({card.clips}) than these ({found}), so the pack is "
        f"called {own!r} and its thresholds are fitted; --recipe FILE says otherwise",
        file=sys.stderr,
    )
    return recipe.model_copy(update={"name": own}), CardRecipe()


def draft(checkpoint: Checkpoint, recipe: Recipe, said: CardRecipe, precision: str) -> dict[str, Any]:
    """The card before anything is measured: each event's logit stands for itself."""
    settings, dims = checkpoint.settings, checkpoint.joint.dims
    described = DESCRIPTIONS | {str(event): text for event, text in said.descriptions.items()}
    return {
        "schema": "streamwatch.pack/1",
        "name": recipe.name,
        "version": said.version,
        **({"about": recipe.about} if recipe.about else {}),
        "created": str(date.today()),
        "precision": precision,
        "size": settings.size,
        "frames": 8,
        "clip_seconds": 1.0,
        "stride_seconds": 1.0,
        "window": settings.window,
        "dim": dims.dim,
        "grid": settings.size // 32,
        "text": False,
        "events": {event: {**NEUTRAL, "description": described[event]} for event in EVENTS},
    }


def sources(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Where the clips come from, how many, under which licence."""
    rows: dict[tuple[str, str], int] = {}
    for entry in entries:
        key = (entry.source, entry.licence)
        rows[key] = rows.get(key, 0) + 1
    return [{"source": s, "clips": n, "licence": licence} for (s, licence), n in sorted(rows.items())]


def limits(said: CardRecipe, split: str, held_out: Sequence[Entry]) -> list[str]:
    """The recipe's, or on how little the figures rest."""
    if said.limits:
        return list(said.limits)
    shown = ", ".join(f"{event} in {sum(e.shows(event) for e in held_out)}" for event in EVENTS)
    quiet = sum(e.label == "normal" for e in held_out)
    return [f"calibrated on {len(held_out)} clips of split {split}: {shown}; {quiet} are normal"]


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """``card.json`` with the sha256 of every file of the pack that runs."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name not in NOT_RUN)
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "card.json").write_text(json.dumps({**card, "files": files}, indent=2, ensure_ascii=False) + "\n")

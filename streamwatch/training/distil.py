"""Eyes that were made narrower, taught by what they were: no labels, and heads and transformer stay as they are.

The student sees the same disturbed clips as the teacher and learns its maps (hints: Romero et al., ICLR 2015, arXiv
1412.6550), how these change from frame to frame, and its tokens (distillation: Hinton et al., 2015, arXiv 1503.02531).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from streamwatch.errors import TrainingError
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.data import FRAMES, Images
from streamwatch.training.events import EVENTS
from streamwatch.training.lite0 import widths_of
from streamwatch.training.loop import STATE, optimise
from streamwatch.training.manifest import Manifest, require_split
from streamwatch.training.pieces import calibration_clips
from streamwatch.training.prune import pruned
from streamwatch.training.recipe import Recipe
from streamwatch.training.reconstruct import FIRST, reconstruct
from streamwatch.training.reel import wind
from streamwatch.training.settings import Settings
from streamwatch.training.tune import Source
from streamwatch.training.videobert import TAPS, ClipEncoder

__all__ = ["Pruned", "Student", "distil", "errors", "losses", "narrower", "prune"]

START = 64  # clips from which the spread of each of a token's numbers is learnt
CHUNK = 16  # of them seen at once
LEAST = 1e-3  # spread of what hardly ever changes
LOOKED_AT = 64  # clips of the split ``val`` on which errors are told
FITTED = 16  # clips on which projections are fitted


@dataclass(frozen=True, slots=True)
class Pruned:
    """Where the checkpoint lies; channels inside each block before and after; :func:`errors` once channels were
    ``cut``, once projections were ``fitted`` and once all was ``tuned``."""

    path: Path
    widths: tuple[list[int], list[int]]
    figures: dict[str, float]


class Student(nn.Module):
    """The clip encoder of which the blocks learn, the heads do not."""

    def __init__(self, encoder: ClipEncoder) -> None:
        super().__init__()
        self.layers = encoder.lite0._blocks  # by this name the loop knows what learns slowly
        self.encoder = encoder
        self.requires_grad_(False)
        for layer in self.layers[FIRST:]:
            layer.requires_grad_(True)


def narrower(encoder: ClipEncoder, share: float) -> ClipEncoder:
    """A copy with pruned eyes: about ``share`` of the channels inside each block is gone."""
    lite0 = pruned(encoder.lite0, share)
    found = ClipEncoder(encoder.project.out_channels, lite0)
    rest = {name: x for name, x in encoder.state_dict().items() if not name.startswith("lite0.")}
    found.load_state_dict({**found.state_dict(), **rest})
    return found.eval()


def _watched(encoder: ClipEncoder, clips: Tensor, blocks: Sequence[int]) -> tuple[list[Tensor], Tensor]:
    """The maps behind ``blocks`` in both looks, each [B·T, c, h, w]; tokens [B, D]."""
    maps: list[Tensor] = []

    def keep(_block: nn.Module, _given: tuple[Tensor, ...], found: Tensor) -> None:
        maps.append(found)

    hooks = [encoder.lite0._blocks[number].register_forward_hook(keep) for number in blocks]
    try:
        token: Tensor = encoder(clips)[0]
    finally:
        for hook in hooks:
            hook.remove()
    return maps, token


def _seen(encoder: ClipEncoder, clips: Tensor) -> tuple[list[Tensor], Tensor]:
    """The maps that are read [B, T, c, h, w], and tokens [B, D]."""
    maps, token = _watched(encoder, clips, TAPS)
    return [m.reshape(-1, FRAMES, *m.shape[1:]) for m in maps], token


def losses(teacher: ClipEncoder, student: ClipEncoder, clips: Tensor, spread: Tensor) -> dict[str, Tensor]:
    """Squared errors as shares of the teacher's own size: what maps ``shown``, how they ``moved``, event logits and the
    rest of the token; ``spread`` [D] of the teacher's tokens."""
    with torch.no_grad():
        wanted, wanted_token = _seen(teacher, clips)
    found, token = _seen(student, clips)
    shown = [(ours - theirs).square().mean() / theirs.var() for ours, theirs in zip(found, wanted, strict=True)]
    moved = []
    for ours, theirs in zip(found, wanted, strict=True):
        step, right = ours[:, 1:] - ours[:, :-1], theirs[:, 1:] - theirs[:, :-1]
        moved.append((step - right).square().mean() / (right.square().mean() + LEAST))
    apart = ((token - wanted_token) / spread).square().mean(0)
    own = len(EVENTS)
    parts = {"shown": torch.stack(shown), "moved": torch.stack(moved), "events": apart[:own], "token": apart[own:]}
    return {name: part.mean() for name, part in parts.items()}


def distil(teacher: ClipEncoder, student: Student, source: Source, recipe: Recipe, folder: Path | None = None) -> None:
    """``student`` in place; a run that was stopped goes on."""
    how, seed = recipe.prune, recipe.train.seed
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        parts = [teacher(_draw(source, CHUNK, rng))[0] for _ in range(START // CHUNK)]
    spread = torch.cat(parts).std(0).clamp(min=LEAST)

    def objective(rng: np.random.Generator) -> Mapping[str, Tensor]:
        return losses(teacher, student.encoder, _draw(source, how.batch, rng), spread)

    digest = hashlib.sha256(f"{how.model_dump_json()} {recipe.encoder.disturb.model_dump_json()}".encode())
    for name, x in teacher.state_dict().items():
        digest.update(name.encode() + x.cpu().numpy().tobytes())
    digest.update("".join(entry.path for entry in source.reel.entries).encode())
    optimise(student, objective, _settings(recipe), folder, None, digest.hexdigest())


def _draw(source: Source, count: int, rng: np.random.Generator) -> Tensor:
    return source.clips(source.drawing(count, rng), rng)


def _settings(recipe: Recipe) -> Settings:
    how = recipe.prune
    changed = {"steps": how.steps, "batch": how.batch, "rate": how.rate, "ema": how.ema}
    still = {"weight_decay": 0.0, "layer_decay": 1.0, "half": False, "patience": 0, "texts": 0, "lora": 0}
    return recipe.train.model_copy(update={**changed, **still})


def errors(teacher: ClipEncoder, student: ClipEncoder, clips: Sequence[Images]) -> dict[str, float]:
    """How far ``student``'s event logits and tokens are from ``teacher``'s on undisturbed clips: root of the mean
    square, in spreads of the teacher's."""
    with torch.no_grad():
        ours, theirs = (
            torch.cat([encoder(torch.from_numpy(clip)[None])[0] for clip in clips]) for encoder in (student, teacher)
        )
    apart = ((ours - theirs) / theirs.std(0).clamp(min=LEAST)).square().mean(0)
    return {
        **{event: float(apart[column].sqrt()) for column, event in enumerate(EVENTS)},
        "tokens": float(apart.mean().sqrt()),
    }


def prune(checkpoint: Path, manifest: Manifest, work: Path, recipe: Recipe) -> Pruned:
    """``pruned.pt`` in ``work``: ``checkpoint`` with narrower eyes, fine-tuned on the split ``train`` of ``manifest``,
    of which no label is looked at but to show events as often as in tuning. Errors are told on the split ``val``.

    A run that was stopped goes on. Raises TrainingError, Stopped, FileNotFoundError.
    """
    made, share = Checkpoint.load(checkpoint), recipe.prune.share
    require_split(manifest, "train")
    if made.recipe is not None and made.recipe.features.backbone is not None:
        raise TrainingError(f"{checkpoint}: sees through {made.recipe.features.backbone}; only Lite0's eyes are pruned")
    teacher, narrow = made.encoder, narrower(made.encoder, share)
    widths = tuple(widths_of(encoder.lite0.state_dict()) for encoder in (teacher, narrow))
    if widths[0] == widths[1]:
        raise TrainingError(f"share {share}: takes nothing from {widths[0]} channels, which go by sixteens; take more")
    some = calibration_clips(manifest, made.settings.size, FITTED)
    if not some:
        raise TrainingError(f"{manifest.path}: no clip of the split train lasts a second")
    looked_at = calibration_clips(manifest, made.settings.size, LOOKED_AT, split="val")
    figures = _told("cut", teacher, narrow, looked_at)
    with torch.no_grad():
        maps = _watched(teacher, torch.from_numpy(np.stack(some)), [FIRST - 1])[0]
        reconstruct(teacher.lite0, narrow.lite0, maps)
    figures |= _told("fitted", teacher, narrow, looked_at)
    if recipe.prune.steps:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        reel = wind(manifest.only(lambda entry: entry.split == "train"), made.settings.size, 0, work).to(device)
        source, student = Source(reel, range(len(reel.entries)), recipe), Student(narrow.to(device))
        distil(teacher.to(device), student, source, recipe, work / "prune")
        teacher, narrow = teacher.cpu(), student.encoder.cpu().eval()
        figures |= _told("tuned", teacher, narrow, looked_at)
    path = work / "pruned.pt"
    known = made.recipe.model_copy(update={"prune": recipe.prune}) if made.recipe is not None else None
    Checkpoint(narrow, made.joint, made.settings, known, made.heads).save(path)
    (work / "prune" / STATE).unlink(missing_ok=True)
    return Pruned(path, (widths[0], widths[1]), figures)


def _told(when: str, teacher: ClipEncoder, student: ClipEncoder, clips: Sequence[Images]) -> dict[str, float]:
    found = errors(teacher, student, clips) if len(clips) > 1 else {}
    return {f"error_{name}_{when}": value for name, value in found.items()}

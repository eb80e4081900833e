"""Tuning the eyes on events, slowly, from ImageNet's weights; on a GPU if there is one (minutes), else on the CPU (half
a day).

What made short fine-tuning worse than frozen eyes on a few hundred clips is kept away from: heads are fitted first and
stay strongly penalised, rates are small, no clip is shown twice alike, and the mean of several runs' weights is kept
(model soups: Wortsman et al., ICML 2022, arXiv 2203.05482).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from streamwatch.errors import TrainingError
from streamwatch.training.disturb import disturb
from streamwatch.training.drawing import SYNTHETIC, Drawing, Drawn
from streamwatch.training.events import EVENTS
from streamwatch.training.glimpse import first_clips
from streamwatch.training.heads import STRENGTH
from streamwatch.training.lite0 import Lite0, pretrained_lite0, shifted_by
from streamwatch.training.loop import STATE, optimise
from streamwatch.training.manifest import Manifest, require_split
from streamwatch.training.origin import Origin
from streamwatch.training.recipe import EncoderRecipe, Recipe
from streamwatch.training.reel import Reel, wind
from streamwatch.training.run_state import once
from streamwatch.training.settings import Settings
from streamwatch.training.sight import Sight, Tuned, blend, untuned
from streamwatch.training.videobert import CELL_FEATURES, NEAR_FEATURES, ClipEncoder, pool

__all__ = ["FILE", "Eyes", "Source", "encoder", "folds_of", "soup", "tune"]

FILE = "encoder.pt"
HEADS = "heads.pt"  # what was fitted before the first step: thousands of clips are seen for it
USUAL = 64  # clips from which is learnt what is usual, where nothing is tuned
CHUNK = 32  # clips seen at once before training
EPSILON = 1e-4
EXAMPLES = 4096  # draws from which the share of known labels is learnt


class Eyes(nn.Module):
    """The clip encoder with a linear head on its standardised features: clips [B, 8, S, S, 3] → event logits [B, E]."""

    def __init__(self, lite0: Lite0, how: EncoderRecipe) -> None:
        super().__init__()
        self.layers = lite0._blocks  # by this name the loop knows what learns slowly
        self.encoder = ClipEncoder(1, lite0)
        self.head = nn.Linear(CELL_FEATURES, len(EVENTS))
        self.mean = nn.Parameter(torch.zeros(CELL_FEATURES))
        self.spread = nn.Parameter(torch.ones(CELL_FEATURES))
        self.dropout = how.dropout
        self.requires_grad_(False)
        for learns in (*self.layers[how.first :], self.head):
            learns.requires_grad_(True)

    def see(self, clips: Tensor) -> Tensor:
        """[B, C], standardised."""
        return (self.encoder.see(clips) - self.mean) / self.spread

    def forward(self, clips: Tensor) -> Tensor:
        logits: Tensor = self.head(F.dropout(self.see(clips), self.dropout, self.training))
        return logits

    def sight(self) -> Sight:
        """With the standardisation folded into the head."""
        weight = (self.head.weight / self.spread).detach().cpu()
        bias = self.head.bias.detach().cpu() - weight @ self.mean.detach().cpu()
        lite0 = Lite0.of({name: x.cpu() for name, x in self.encoder.lite0.state_dict().items()})
        return Sight(lite0, self.encoder.usual.detach().cpu().clone(), weight.clone(), bias.clone())


class Source:
    """Disturbed clips of some of the reel, with what is known of them."""

    def __init__(self, reel: Reel, chosen: Sequence[int], recipe: Recipe) -> None:
        self.reel, self.how = reel, recipe.encoder
        self.drawing = Drawing(reel, chosen, recipe)
        self.stills = reel.pictures[torch.from_numpy(self.drawing.stills()).to(reel.pictures.device)]

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Clips, targets [B, E] with nan, weights [B, E]."""
        drawn = self.drawing(count, rng)
        return self.clips(drawn, rng), *self._known(drawn)

    def clips(self, drawn: Drawn, rng: np.random.Generator) -> Tensor:
        pictures = self.reel.pictures
        shown = pictures[torch.from_numpy(drawn.pictures.flatten()).to(pictures.device)]
        return disturb(shown.reshape(*drawn.pictures.shape, *shown.shape[1:]), self.stills, rng, self.how.disturb)

    def _known(self, drawn: Drawn) -> tuple[Tensor, Tensor]:
        device = self.reel.pictures.device
        return torch.from_numpy(drawn.targets).to(device), torch.from_numpy(drawn.weights).to(device)

    def usual_weight(self, batch: int, rng: np.random.Generator) -> Tensor:
        """What the weights of known labels add up to in a batch [E]."""
        drawn = self.drawing(EXAMPLES, rng)
        known = np.where(np.isnan(drawn.targets), 0.0, drawn.weights)
        return torch.from_numpy(known.mean(0) * batch).float().clamp(min=0.5).to(self.reel.pictures.device)


def _losses(logits: Tensor, targets: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """[E]: binary cross-entropies of what is known, added up."""
    known = torch.where(targets.isnan(), torch.zeros_like(weights), weights)
    smooth = targets.nan_to_num() * (1 - smoothing) + smoothing / 2
    return (F.binary_cross_entropy_with_logits(logits, smooth, reduction="none") * known).sum(0)


def _penalty(head: nn.Linear) -> Tensor:
    """As that of the logistic regressions in :mod:`streamwatch.training.heads`."""
    strength = torch.tensor(STRENGTH, device=head.weight.device)
    return (head.weight.square().sum(1) / strength).sum() / 2


def _first_heads(eyes: Eyes, source: Source, rng: np.random.Generator) -> None:
    """What is usual, the standardisation and logistic regressions, by the untouched eyes."""
    seen, targets, weights = [], [], []
    eyes.eval()
    with torch.no_grad():
        for _ in tqdm(range(max(1, source.how.start // CHUNK)), desc="first heads", mininterval=5):
            clips, target, weight = source.draw(CHUNK, rng)
            cells, motion, close, cover = eyes.encoder.looks(clips)
            seen.append(torch.cat([close, pool(cells, motion), pool(cover[:, None], motion)], 1))
            targets.append(target)
            weights.append(weight)
        x = torch.cat(seen)
        usual = x[:, :NEAR_FEATURES].mean(0)
        eyes.encoder.usual.copy_(usual)
        x = torch.cat([(x[:, :NEAR_FEATURES] - usual) * x[:, -1:], x[:, NEAR_FEATURES:-1]], 1)
        eyes.mean.copy_(x.mean(0))
        eyes.spread.copy_(x.std(0) + EPSILON)
    _regress(eyes.head, (x - eyes.mean) / eyes.spread, torch.cat(targets), torch.cat(weights))


def _regress(head: nn.Linear, x: Tensor, targets: Tensor, weights: Tensor) -> None:
    known = torch.where(targets.isnan(), torch.zeros_like(weights), weights).sum(0).clamp(min=1.0)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    solver = torch.optim.LBFGS(head.parameters(), max_iter=60, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        total = (_losses(head(x), targets, weights, 0.0) / known).sum() + _penalty(head)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    solver.step(loss)  # type: ignore[no-untyped-call]


def _fitted(eyes: Eyes) -> dict[str, Tensor]:
    """What :func:`_first_heads` fills."""
    usual = {"usual": eyes.encoder.usual, "mean": eyes.mean, "spread": eyes.spread}
    return {**usual, "weight": eyes.head.weight, "bias": eyes.head.bias}


def tune(reel: Reel, chosen: Sequence[int], recipe: Recipe, seed: int, folder: Path | None = None) -> Eyes:
    """One run on the clips of ``reel`` that are numbered in ``chosen``; one that was stopped goes on."""
    how = recipe.encoder
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    source = Source(reel, chosen, recipe)
    eyes = Eyes(pretrained_lite0(_shifted(recipe)), how).to(reel.pictures.device)
    kept = folder / HEADS if folder is not None else None
    key = f"{recipe.model_dump_json(include={'encoder', 'labels', 'shares', 'train'})} {seed} {reel.known(chosen)}"
    once(kept, key, rng, _fitted(eyes), partial(_first_heads, eyes, source, rng))
    usual = source.usual_weight(how.batch, rng)

    def objective(rng: np.random.Generator) -> Mapping[str, Tensor]:
        clips, targets, weights = source.draw(how.batch, rng)
        losses = _losses(eyes(clips), targets, weights, how.smoothing) / usual
        return {**dict(zip(EVENTS, losses, strict=True)), "penalty": _penalty(eyes.head)}

    settings = _settings(recipe, seed)
    said = recipe.model_dump_json(exclude={"card"})
    optimise(eyes, objective, settings, folder, None, f"{said} {sorted(chosen)}")
    return eyes


def _settings(recipe: Recipe, seed: int) -> Settings:
    how = recipe.encoder
    changed = {"steps": how.steps, "batch": how.batch, "rate": how.rate, "fresh": how.fresh, "ema": how.ema}
    still = {"weight_decay": 0.0, "layer_decay": 1.0, "half": False, "patience": 0, "texts": 0, "lora": 0}
    return recipe.train.model_copy(update={**changed, **still, "seed": seed})


def soup(runs: Sequence[Eyes]) -> Eyes:
    """The mean of their weights, in the first."""
    with torch.no_grad():
        for parts in zip(*(run.parameters() for run in runs), strict=True):
            parts[0].copy_(torch.stack(list(parts)).mean(0))
    return runs[0]


def folds_of(reel: Reel, count: int, seed: int = 0) -> list[frozenset[str]]:
    """The groups of the split ``train``, dealt so that each fold has about as many clips of each source."""
    rng = np.random.default_rng(seed)
    rows = [e for e in reel.entries if e.split == "train" and e.source != SYNTHETIC]
    if not rows:
        raise TrainingError("no clip of the split 'train' could be read; rendered scenes alone are not trained on")
    folds: list[set[str]] = [set() for _ in range(count)]
    for source in sorted({e.source for e in rows}):
        groups = [e.group for e in rows if e.source == source]
        load = rng.permutation(count) * 0.1
        for group in sorted(set(groups), key=lambda g: (-groups.count(g), g)):
            least = int(load.argmin())
            folds[least].add(group)
            load[least] += groups.count(group)
    return [frozenset(fold) for fold in folds if fold]


def encoder(manifest: Manifest, work: Path, recipe: Recipe) -> Tuned | None:
    """The eyes of ``work``, tuned there if they are not yet on the split ``train`` of ``manifest``; ImageNet's if the
    recipe says no steps; None where a backbone sees.

    A run that was stopped goes on. Raises TrainingError, also for eyes that are there and were tuned on other clips or
    otherwise; Stopped, ModuleNotFoundError.
    """
    require_split(manifest, "train")
    if recipe.features.backbone is not None:
        return None
    path, origin = work / FILE, Origin.of(manifest, recipe)
    if not path.exists():
        made = _all(manifest, work, recipe) if recipe.encoder.steps else _untuned(manifest, recipe)
        replace(made, origin=origin.state()).save(path)
    found = Tuned.load(path)
    origin.accept(path, found.origin, any_seed=True)
    if found.sight.lite0.shifted != _shifted(recipe):
        theirs, ours = found.sight.lite0.shifted or "none", _shifted(recipe) or "none"
        raise TrainingError(
            f"{path}: these eyes shift {theirs} (block: channels), encoder.shift of the recipe {ours}: "
            "take the recipe they were tuned with, or another --work"
        )
    return found


def _shifted(recipe: Recipe) -> dict[int, int]:
    how = recipe.encoder.shift
    return shifted_by(how.share, how.blocks) if how is not None else {}


def _untuned(manifest: Manifest, recipe: Recipe) -> Tuned:
    entries = [e for e in manifest.entries if e.split == "train"]
    some = entries[:: max(1, len(entries) // USUAL)]
    return untuned(first_clips(manifest.root, some, recipe.train.size), _shifted(recipe))


def _all(manifest: Manifest, work: Path, recipe: Recipe) -> Tuned:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    reel = wind(manifest, recipe.train.size, recipe.encoder.rendered, work).to(device)
    train = [i for i, entry in enumerate(reel.entries) if entry.split == "train"]
    folds = folds_of(reel, recipe.encoder.folds)
    sights = []
    for number, left_out in enumerate([frozenset[str](), *folds]):
        chosen = [i for i in train if reel.entries[i].group not in left_out]
        origin = Origin.of(manifest, recipe, left_out)
        seeds = [recipe.train.seed + number * recipe.encoder.runs + run for run in range(recipe.encoder.runs)]
        tuned = [partial(tune, reel, chosen, recipe, seed) for seed in seeds]
        sights.append(_one_of_all(tuned, origin, work / f"encoder-{number}"))
    kept = blend(sights) if recipe.encoder.blend else sights[0]
    return Tuned(kept, tuple(zip(folds, sights[1:], strict=True)))


def _one_of_all(runs: Sequence[Callable[[Path], Eyes]], origin: Origin, folder: Path) -> Sight:
    """The mean of ``runs``, each in a folder of its own."""
    done, own = folder / "sight.pt", [folder / f"run-{number}" for number in range(len(runs))]
    if not done.exists():
        made = [run(its) for run, its in zip(runs, own, strict=True)]
        Tuned(soup(made).sight(), origin=origin.state()).save(done)
        for its in own:
            (its / STATE).unlink(missing_ok=True)
    found = Tuned.load(done)
    origin.accept(done, found.origin)
    return found.sight

"""The whole pre-training: features, words, both stages, and figures on clips that were left out."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from streamwatch.errors import ConfigError, TrainingError
from streamwatch.training.captions import TEMPLATES
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.codebook import Codebook, figures, fit_codebook, motion
from streamwatch.training.dataset import Dataset, gather
from streamwatch.training.finetune import fit_tokens, new_joint, set_dropout, with_heads
from streamwatch.training.loop import STATE, optimise
from streamwatch.training.manifest import Manifest
from streamwatch.training.masking import hide_spans
from streamwatch.training.minilm import MiniLM, read_minilm
from streamwatch.training.narrated import Narrated, draw_told, narrate
from streamwatch.training.pretrain import Pretraining, Tokens, align_losses, hidden_losses
from streamwatch.training.recipe import PretrainRecipe, Recipe
from streamwatch.training.settings import Settings
from streamwatch.training.tune import encoder
from streamwatch.training.videobert import Dims

__all__ = [
    "Pretrained",
    "codebook",
    "guesses",
    "load_pretraining",
    "match",
    "memory_of_text",
    "pretrain",
    "refuse_backbone",
    "stages",
]

MOST_CAPTIONS = 120
Losses = Callable[[Pretraining, Sequence[Narrated], PretrainRecipe, Tokens, np.random.Generator], dict[str, Tensor]]
STAGES: tuple[tuple[str, Losses], ...] = (("align", align_losses), ("hidden", hidden_losses))


@dataclass(frozen=True, slots=True)
class Pretrained:
    """Where the checkpoint lies, and figures by name on the split ``val``."""

    path: Path
    figures: dict[str, float]


def codebook(dataset: Dataset, seed: int = 0) -> tuple[Codebook, dict[str, float]]:
    """Words of the split ``train``, and whether they carry over to ``val``."""
    train, held = dataset.only("train").clean(), dataset.only("val").clean()
    moved = motion(train.features.x)
    book = fit_codebook(moved, seed)
    order = np.lexsort((train.features.start, train.features.entry))
    streams = np.split(order, np.flatnonzero(np.diff(train.features.entry[order])) + 1)
    groups = [train.entries[i].group for i in train.features.entry]
    return book, dict(figures(book, moved, motion(held.features.x), groups, streams))


def stages(
    model: Pretraining, clips: Sequence[Narrated], recipe: Recipe, ids: Tokens, folder: Path | None = None
) -> None:
    """Both stages, in place. With ``folder`` a run that was stopped goes on, a finished stage is not made again."""
    how = recipe.pretrain
    digest = hashlib.sha256(b"".join(c.tokens.tobytes() for c in clips) + how.model_dump_json().encode()).hexdigest()
    for (name, losses), steps in zip(STAGES, (how.align_steps, how.hidden_steps), strict=True):
        if steps:
            settings = _settings(recipe.train, how, steps)
            set_dropout(model.joint, settings)
            objective = partial(_stage_losses, losses, (model, clips, how, ids))
            optimise(model, objective, settings, folder / f"pretrain-{name}" if folder else None, None, digest)


def _stage_losses(
    losses: Losses, what: tuple[Pretraining, Sequence[Narrated], PretrainRecipe, Tokens], rng: np.random.Generator
) -> dict[str, Tensor]:
    return losses(*what, rng)


def _settings(train: Settings, how: PretrainRecipe, steps: int) -> Settings:
    changed = {"steps": steps, "rate": how.rate, "layer_decay": how.layer_decay, "batch": how.batch, "patience": 0}
    return train.model_copy(update={**changed, "texts": 0, "lora": 0, "window": how.window})


def guesses(
    model: Pretraining, held: Sequence[Narrated], known: Sequence[Narrated], how: PretrainRecipe, rounds: int = 20
) -> dict[str, float]:
    """How often hidden seconds of ``held`` are guessed, beside the commonest word of ``known`` and the nearest second
    that is shown. The same windows each time."""
    rng = np.random.default_rng(0)
    commonest = np.bincount(np.concatenate([c.words[:, 1] for c in known])).argmax()
    hits: dict[str, list[NDArray[np.bool_]]] = {}
    model.eval()
    with torch.no_grad():
        for _ in range(rounds):
            told = draw_told(held, how.batch, how.window, rng)
            hidden = hide_spans(told.mask, how.hidden_seconds, rng)
            if not hidden.any():
                continue
            where = torch.from_numpy(hidden)
            visual = torch.where(where[:, :, None], model.blank, torch.from_numpy(told.visual))
            empty = torch.zeros(how.batch, 1, visual.shape[2]), torch.zeros(how.batch, 1)
            slot = model.joint.slot(torch.from_numpy(told.age))
            found = model.joint.hidden(visual, slot, torch.from_numpy(told.mask), *empty)[1][where]
            pattern = model.pattern(found).numpy()
            true = told.words[hidden]
            copied = _nearest_shown(told.words, hidden, told.mask)[hidden]
            five = np.argsort(-pattern, 1)[:, :5]
            for name, right in (
                ("pattern_top1", five[:, 0] == true[:, 1]),
                ("pattern_top5", (five == true[:, 1:]).any(1)),
                ("pattern_commonest", true[:, 1] == commonest),
                ("pattern_copied", copied[:, 1] == true[:, 1]),
                ("magnitude_top1", model.magnitude(found).numpy().argmax(1) == true[:, 0]),
                ("magnitude_copied", copied[:, 0] == true[:, 0]),
            ):
                hits.setdefault(name, []).append(right)
    return {name: float(np.concatenate(right).mean()) for name, right in hits.items()}


def _nearest_shown(words: NDArray[np.int64], hidden: NDArray[np.bool_], mask: NDArray[np.float32]) -> NDArray[np.int64]:
    found = words.copy()
    for row in range(len(words)):
        shown = np.flatnonzero((mask[row] > 0) & ~hidden[row])
        for place in np.flatnonzero(hidden[row]):
            found[row, place] = words[row, shown[np.abs(shown - place).argmin()]]
    return found


def match(model: Pretraining, held: Sequence[Narrated], ids: Tokens, how: PretrainRecipe) -> dict[str, float]:
    """Share of the files of ``held`` whose newest window lies nearest to its own label's captions, and what guessing
    the commonest label gives; the mean over labels beside it, where guessing gives 1 / labels."""
    labels = sorted({c.label for c in held} & set(TEMPLATES))
    model.eval()
    with torch.no_grad():
        said = []
        for label in labels:
            first, _ = model.read(model.text(ids(TEMPLATES[label])))
            said.append(F.normalize(F.normalize(model.joint.embed(first), dim=-1).mean(0), dim=-1))
        nearest = []
        for one in held:
            tokens = torch.from_numpy(one.tokens[-how.window :])[None]
            count = tokens.shape[1]
            slot = torch.arange(count - 1, -1, -1)[None]
            empty = torch.zeros(1, 1, tokens.shape[2]), torch.zeros(1, 1)
            seen = model.joint.embed(model.joint.hidden(tokens, slot, torch.ones(1, count), *empty)[0])[0]
            nearest.append(labels[int((torch.stack(said) @ seen).argmax())])
    true = np.array([c.label for c in held])
    right = np.array(nearest) == true
    each = [float(right[true == label].mean()) for label in labels]
    most = max(float((true == label).mean()) for label in labels)
    return {"label_matched": float(right.mean()), "label_matched_mean": float(np.mean(each)), "label_commonest": most}


def memory_of_text(model: Pretraining, captions: Sequence[str], ids: Tokens) -> float:
    """Spearman's ρ of the cosines of all pairs of captions, now and by the first weights: 1 if nothing was forgotten.
    nan for fewer than three captions."""
    chosen = list(dict.fromkeys(captions))[:MOST_CAPTIONS]
    if len(chosen) < 3:
        return float("nan")
    model.eval()
    with torch.no_grad():
        text = model.text(ids(chosen))
        now, before = model.sentence(text), model.sentence(text, model.first[0])
    pairs = np.array(list(combinations(range(len(chosen)), 2)))
    ranks = [(e[pairs[:, 0]] * e[pairs[:, 1]]).sum(1).numpy().argsort().argsort() for e in (now, before)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def refuse_backbone(recipe: Recipe) -> None:
    """Raises ConfigError for a recipe in which foreign eyes see: words are made of what moves in Lite0's maps."""
    if recipe.features.backbone is not None:
        raise ConfigError(
            f"recipe {recipe.name}: features.backbone: {recipe.features.backbone!r} sees nothing that words of motion "
            "can be made of; leave it out for `train pretrain` and `train codebook`"
        )


def load_pretraining(path: Path, minilm: MiniLM | None = None) -> Pretraining:
    """What :func:`pretrain` left, heads and all: it can be asked for hidden seconds and words again.

    Raises FileNotFoundError, TrainingError, and ModuleNotFoundError without MiniLM's words.
    """
    kept = Checkpoint.load(path)
    if kept.guessing is None:
        raise TrainingError(f"{path}: holds no heads for words: `train pretrain` leaves some, earlier versions did not")
    model = Pretraining(kept.joint, (minilm or read_minilm()).words)
    try:
        model.load_state_dict({**model.state_dict(), **kept.guessing})
    except RuntimeError as error:
        raise TrainingError(f"{path}: other heads for words than these: {error}") from error
    return model.eval()


def pretrain(manifest: Manifest, work: Path, recipe: Recipe, minilm: MiniLM | None = None) -> Pretrained:
    """Pre-train on the split ``train`` of ``manifest`` and on rendered scenes; → ``pretrained.pt`` in ``work``, with
    ``codebook.npz`` and ``pretrained.json`` beside it.

    A run that was stopped goes on. Raises ConfigError, TrainingError, Stopped.
    """
    refuse_backbone(recipe)
    minilm = minilm or read_minilm()
    tuned = encoder(manifest, work, recipe)
    dataset = gather(manifest, work, recipe, tuned)
    book, figures_of_words = codebook(dataset, recipe.train.seed)
    book.save(work / "codebook.npz")
    train, held = dataset.only("train"), dataset.only("val").clean()
    torch.manual_seed(recipe.train.seed)
    dims = Dims(dim=minilm.words.shape[1])
    heads, tokens, _ = fit_tokens(train, dims.dim, recipe, tuned=tuned)
    model, ids = Pretraining(new_joint(tokens, minilm, dims, recipe.memory), minilm.words), Tokens(minilm.tokenizer)
    clips, unseen = narrate(train, tokens, book), narrate(held, heads(held.features.x), book)
    how = recipe.pretrain
    before = guesses(model, unseen, clips, how) | match(model, unseen, ids, how)
    stages(model, clips, recipe, ids, work)
    after = guesses(model, unseen, clips, how) | match(model, unseen, ids, how)
    captions = [text for texts in TEMPLATES.values() for text in texts] + [s[3] for c in clips for s in c.told]
    text = {"text_spearman": memory_of_text(model, captions, ids)}
    found = {**figures_of_words, **{f"{name}_before": x for name, x in before.items()}, **after, **text}
    path = work / "pretrained.pt"
    clip_encoder = with_heads(tuned, heads, dims.dim)
    Checkpoint(clip_encoder, model.joint.eval(), recipe.train, recipe, heads, model.guessing()).save(path)
    path.with_suffix(".json").write_text(json.dumps(dict(found), indent=1) + "\n", encoding="utf-8")
    for name, _ in STAGES:
        (work / f"pretrain-{name}" / STATE).unlink(missing_ok=True)
    return Pretrained(path, found)

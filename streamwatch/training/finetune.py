"""Clips → cached features → heads → joint transformer → one checkpoint."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamwatch.errors import TrainingError
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.dataset import Dataset, gather
from streamwatch.training.events import EVENTS
from streamwatch.training.heads import Heads, cross_fit, fit_heads, weighting
from streamwatch.training.labels import Labelling, first_event, token_labels, token_weights, truth_of
from streamwatch.training.loop import STATE, Outcome, Score, optimise
from streamwatch.training.lora import adapt, merge
from streamwatch.training.manifest import Manifest
from streamwatch.training.minilm import MiniLM, initialise, read_minilm
from streamwatch.training.objective import Words, losses
from streamwatch.training.origin import refuse_other_eyes
from streamwatch.training.recipe import Recipe
from streamwatch.training.settings import Settings
from streamwatch.training.shares import share_table
from streamwatch.training.sight import Tuned
from streamwatch.training.tune import encoder
from streamwatch.training.validate import clip_areas, mean_area
from streamwatch.training.videobert import CELL_FEATURES, EXTRAS, ClipEncoder, Dims, Joint, Layer
from streamwatch.training.windows import Stream, draw_batch

__all__ = [
    "Trained",
    "areas_on",
    "fit",
    "fit_joint",
    "fit_tokens",
    "go_on_from",
    "labels_of",
    "lookup",
    "new_joint",
    "set_dropout",
    "streams_of",
    "train",
    "with_heads",
]

Array = NDArray[np.float32]
DEFAULT = Recipe()


@dataclass(frozen=True, slots=True)
class Trained:
    """Where the checkpoint lies; AUC of each event on the split ``val`` in float32 (nan where it has one side only)."""

    path: Path
    areas: dict[str, float]


def labels_of(dataset: Dataset, recipe: Recipe) -> Array:
    """[n, E] with nan for what is not known."""
    labelling = Labelling(recipe.labels.unsaid, recipe.labels.complete)
    return token_labels(dataset.features, dataset.entries, dataset.segments, labelling)


def fit_tokens(
    dataset: Dataset, dim: int, recipe: Recipe = DEFAULT, basis: Heads | None = None, tuned: Tuned | None = None
) -> tuple[Heads, Array, Array]:
    """Heads, tokens [n, D] whose event logits have not seen their group, labels.

    With a ``basis`` all but the event logits are as there: a transformer that was trained on them still reads them.
    Of the events in ``recipe.encoder.heads``, ``tuned`` eyes have logits, and each clip its own of eyes that were tuned
    without it; the others are fitted.
    """
    features, entries = dataset.features, dataset.entries
    labels = labels_of(dataset, recipe)
    groups = [entries[i].group for i in features.entry]
    known = weighting(labels, token_weights(features, entries), share_table(entries, recipe)[features.entry], groups)
    heads = _padded(fit_heads(features.x, known, dim, _kept(features.x)), dim)
    if basis is not None:
        own = len(EVENTS)
        weight = np.concatenate([heads.weight[:own], basis.weight[own:]])
        heads = Heads(weight, np.concatenate([heads.bias[:own], basis.bias[own:]]))
    logits = cross_fit(features.x, known, seed=recipe.train.seed)
    if tuned is not None and tuned.folds:
        kept = [EVENTS.index(event) for event in recipe.encoder.heads]
        heads = Heads(heads.weight.copy(), heads.bias.copy())
        heads.weight[kept], heads.bias[kept] = tuned.sight.weight.numpy()[kept], tuned.sight.bias.numpy()[kept]
        logits[:, kept] = features.own[:, kept]
    tokens = heads(features.x)
    tokens[:, : len(EVENTS)] = logits
    return heads, tokens, labels


def _kept(x: Array) -> int:
    """How many of the last features are tokens' own: those that say where, when and which way it moves."""
    return EXTRAS if x.shape[1] == CELL_FEATURES else 0


def _padded(heads: Heads, dim: int) -> Heads:
    """A backbone may see fewer things than a token holds."""
    lacking = dim - len(heads.weight)
    return Heads(np.pad(heads.weight, ((0, lacking), (0, 0))), np.pad(heads.bias, (0, lacking)))


def streams_of(dataset: Dataset, tokens: Array, labels: Array) -> list[Stream]:
    """One stream for each file and variant, in order of time."""
    features, entries = dataset.features, dataset.entries
    streams = []
    keys = features.entry * 1000 + features.variant
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        rows = rows[np.argsort(features.start[rows])]
        entry = entries[int(key) // 1000]
        of_file = (entry.source, entry.group, first_event(entry), truth_of(entry))
        streams.append(Stream(tokens[rows], labels[rows], *of_file))
    return streams


def new_joint(tokens: Array, minilm: MiniLM | None, dims: Dims, memory: Mapping[str, int] = DEFAULT.memory) -> Joint:
    """A transformer that starts as the running mean of the newest tokens' own logits."""
    joint = Joint(dims)
    if minilm is not None:
        initialise(joint, minilm)
    with torch.no_grad():
        own = len(EVENTS) + EXTRAS
        joint.scale[:own] = 1.0 / torch.from_numpy(tokens[:, :own].std(0) + 1e-3)
        for head in (joint.event_head, joint.now_head, joint.align_head):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        ages = torch.arange(dims.ages, dtype=torch.float32)
        for event, name in enumerate(EVENTS[: dims.events]):
            joint.recency[event] = -1.5 * (ages - memory.get(name, 1) + 1).clamp(min=0.0)
        joint.peak[EVENTS.index("fall")] = 0.7  # it lasts a second; the others last
    return joint


def fit_joint(
    joint: Joint,
    streams: Sequence[Stream],
    words: Words,
    settings: Settings,
    folder: Path | None = None,
    score: Score | None = None,
) -> Outcome:
    """Train in place; the weights kept are their moving average. See :func:`streamwatch.training.loop.optimise`."""

    def objective(rng: np.random.Generator) -> dict[str, Tensor]:
        batch = draw_batch(streams, settings.batch, settings.window, rng)
        return losses(joint, batch, words, settings, rng)

    set_dropout(joint, settings)
    adapters = adapt(joint, settings.lora) if settings.lora else None
    outcome = optimise(joint, objective, settings, folder, score, _digest(streams))
    if adapters is not None:
        merge(adapters)
    return outcome


def set_dropout(joint: Joint, settings: Settings) -> None:
    """How much of the layers, and of what the tokens hold, is left out while training."""
    joint.blur.p = settings.blur
    joint.drop.p = settings.dropout
    for layer in joint.layers:
        assert isinstance(layer, Layer)
        layer.drop.p = settings.dropout


def _digest(streams: Sequence[Stream]) -> str:
    found = hashlib.sha256()
    for stream in streams:
        found.update(f"{stream.source} {stream.group} {stream.label}".encode())
        found.update(stream.tokens.tobytes() + stream.labels.tobytes())
    return found.hexdigest()


def lookup(minilm: MiniLM, length: int = 16) -> Words:
    """Captions → MiniLM's word embeddings, without its own [CLS] and [SEP]."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(minilm.tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def words(captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        ids = [e.ids[:length] for e in tokenizer.encode_batch(list(captions), add_special_tokens=False)]
        longest = max(len(i) for i in ids)
        text, mask = torch.zeros(len(ids), longest, minilm.words.shape[1]), torch.zeros(len(ids), longest)
        for row, i in enumerate(ids):
            text[row, : len(i)], mask[row, : len(i)] = minilm.words[i], 1.0
        return text, mask

    return words


def fit(
    dataset: Dataset,
    minilm: MiniLM,
    recipe: Recipe = DEFAULT,
    folder: Path | None = None,
    start: Checkpoint | None = None,
    tuned: Tuned | None = None,
) -> Checkpoint:
    """Heads and transformer on the rows given: leave out the split that is to be measured.

    With ``folder`` a run that was stopped goes on; ``start`` is what a pre-training left; ``tuned`` are the eyes that
    saw the rows, None: a backbone's.
    """
    settings = recipe.train
    torch.manual_seed(settings.seed)
    dims = Dims()
    dataset, held = _held_out(dataset, recipe)
    heads, tokens, labels = fit_tokens(dataset, dims.dim, recipe, start.heads if start else None, tuned)
    clip_encoder = with_heads(tuned, heads, dims.dim)
    joint = new_joint(tokens, minilm, dims, recipe.memory)
    if start is not None:
        go_on_from(joint, start.joint)
    looked_at = streams_of(held, heads(held.features.x), labels_of(held, recipe)) if held else []

    def score(_step: int, mean: nn.Module) -> float | None:
        assert isinstance(mean, Joint)
        return mean_area(clip_areas(mean, looked_at, settings.window))

    streams = streams_of(dataset, tokens, labels)
    fit_joint(joint, streams, lookup(minilm), settings, folder, score if looked_at else None)
    return Checkpoint(clip_encoder, joint, settings, recipe, heads)


def with_heads(tuned: Tuned | None, heads: Heads, dim: int) -> ClipEncoder:
    """The encoder whole. Without eyes, where a backbone saw, an untrained one stands for it."""
    if tuned is None:
        return ClipEncoder(dim).eval()
    found = tuned.sight.encoder(dim)
    found.set_heads(*(torch.from_numpy(a).float() for a in (heads.weight, heads.bias)))
    return found


def go_on_from(joint: Joint, start: Joint) -> None:
    """What pre-training learnt, into ``joint``; how it decides events stays its own, and so does the tokens' scale."""
    if joint.dims != start.dims:
        raise TrainingError(f"the checkpoint to start from has {start.dims}, this model {joint.dims}")
    own = ("event_head", "now_head", "direct", "recency", "doubt", "peak", "scale")
    learnt = {name: x for name, x in start.state_dict().items() if not name.startswith(own)}
    joint.load_state_dict({**joint.state_dict(), **learnt})


def _held_out(dataset: Dataset, recipe: Recipe) -> tuple[Dataset, Dataset | None]:
    """Without a share of the groups, and undisturbed clips of these for early stopping to look at."""
    if not recipe.held:
        return dataset, None
    groups = sorted({dataset.entries[i].group for i in dataset.features.entry})
    turned = np.random.default_rng(recipe.train.seed).permutation(len(groups))
    chosen = {groups[i] for i in turned[: max(1, round(recipe.held * len(groups)))]}
    return dataset.where(lambda e: e.group not in chosen), dataset.clean().where(lambda e: e.group in chosen)


def train(manifest: Manifest, work: Path, recipe: Recipe = DEFAULT, start: Path | None = None) -> Trained:
    """Train on the split ``train`` of ``manifest`` and on rendered scenes, from a pre-trained checkpoint if ``start``
    names one. A run that was stopped goes on when called again with the same.

    Raises ModuleNotFoundError without the packages that hold the weights, TrainingError, and Stopped.
    """
    minilm = read_minilm()
    pretrained = Checkpoint.load(start) if start is not None else None
    tuned = encoder(manifest, work, recipe)
    if pretrained is not None:
        refuse_other_eyes(pretrained, tuned, recipe, f"{start}")
    dataset = gather(manifest, work, recipe, tuned)
    path = work / "finetuned.pt"
    made = fit(dataset.only("train"), minilm, recipe, work, pretrained, tuned)
    made.save(path)
    (work / STATE).unlink(missing_ok=True)
    return Trained(path, areas_on(dataset.only("val"), made))


def areas_on(dataset: Dataset, made: Checkpoint) -> dict[str, float]:
    """AUC by event on the undisturbed clips of ``dataset``, in float32."""
    assert made.heads is not None and made.recipe is not None
    clean = dataset.clean()
    streams = streams_of(clean, made.heads(clean.features.x), labels_of(clean, made.recipe))
    return clip_areas(made.joint, streams, made.settings.window)

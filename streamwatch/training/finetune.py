"""Clips → cached features → heads → joint transformer → one checkpoint."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streamwatch.training.dataset import Dataset, gather
from streamwatch.training.heads import Heads, cross_fit, fit_heads, weighting
from streamwatch.training.labels import EVENTS, token_labels, token_weights
from streamwatch.training.lite0 import pretrained_lite0
from streamwatch.training.loop import STATE, Outcome, Score, optimise
from streamwatch.training.minilm import MiniLM, initialise, read_minilm
from streamwatch.training.objective import Words, losses
from streamwatch.training.run_state import write_atomically
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import EXTRAS, ClipEncoder, Dims, Joint, Layer
from streamwatch.training.windows import Stream, draw_batch

__all__ = [
    "Checkpoint",
    "fit",
    "fit_joint",
    "fit_tokens",
    "lookup",
    "new_joint",
    "set_dropout",
    "streams_of",
    "train",
]

MEMORY = {"fight": 2, "fall": 3, "shoplifting": 10}  # seconds that count as "now" before training refines it
HOMES = {
    "fight": ("surv_fight", "behave", "web_fight2", "synthetic"),
    "fall": ("gmdcsa24", "mcw_fall", "urfall", "synthetic"),
    "shoplifting": ("mnnit_shoplifting",),
}
AWAY = 0.1  # what a source that never shows an event counts as its negative: more makes the net learn places
ROOM = {"mnnit_shoplifting": 0.2, "synthetic": 0.2}  # many clips of one room, or of none: they count less still
DEFAULTS = Settings()
RENDERED = {"fight": 0.2, "fall": 0.05}  # rendered falls and fights must not outweigh real ones


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What training leaves: both networks and how they were made."""

    encoder: ClipEncoder
    joint: Joint
    settings: Settings

    def save(self, path: Path) -> None:
        state = {"encoder": self.encoder.state_dict(), "joint": self.joint.state_dict()}
        write_atomically(path, {**state, "settings": self.settings.model_dump(), "dims": asdict(self.joint.dims)})

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        kept = torch.load(path, map_location="cpu", weights_only=True)
        joint, encoder = Joint(Dims(**kept["dims"])), ClipEncoder(kept["dims"]["dim"])
        joint.load_state_dict(kept["joint"])
        encoder.load_state_dict(kept["encoder"])
        return cls(encoder.eval(), joint.eval(), Settings(**kept["settings"]))


def _share(source: str, event: str) -> float:
    """How much a clip of ``source`` counts for ``event``."""
    if source in HOMES[event]:
        return RENDERED[event] if source == "synthetic" else 1.0
    return AWAY * ROOM.get(source, 1.0)


def fit_tokens(dataset: Dataset, dim: int, seed: int) -> tuple[Heads, NDArray[np.float32], NDArray[np.float32]]:
    """Heads, tokens [n, D] whose event logits are cross-fitted (no token's logits have seen its group), labels."""
    features, entries = dataset.features, dataset.entries
    labels = token_labels(features, entries, dataset.segments)
    sources = [entries[i].source for i in features.entry]
    shares = np.array([[_share(source, event) for event in EVENTS] for source in sources])
    fights = np.array([entries[i].label == "fight" for i in features.entry])
    shares[fights, EVENTS.index("fall")] = 0.0  # the linear heads cannot keep the two apart, the transformer can
    groups = [entries[i].group for i in features.entry]
    known = weighting(labels, token_weights(features, entries), shares, groups)
    heads = fit_heads(features.x, known, dim, EXTRAS)
    tokens = heads(features.x)
    tokens[:, : len(EVENTS)] = cross_fit(features.x, known, seed=seed)
    return heads, tokens, labels


def streams_of(dataset: Dataset, tokens: NDArray[np.float32], labels: NDArray[np.float32]) -> list[Stream]:
    """One stream for each file and variant, in order of time."""
    features, entries = dataset.features, dataset.entries
    streams = []
    keys = features.entry * 1000 + features.variant
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        rows = rows[np.argsort(features.start[rows])]
        entry = entries[int(key) // 1000]
        label = entry.label if entry.label in EVENTS else "normal"
        streams.append(Stream(tokens[rows], labels[rows], entry.source, entry.group, label))
    return streams


def new_joint(tokens: NDArray[np.float32], minilm: MiniLM | None, dims: Dims) -> Joint:
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
            joint.recency[event] = -1.5 * (ages - MEMORY[name] + 1).clamp(min=0.0)
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
    return optimise(joint, objective, settings, folder, score, _digest(streams))


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


def fit(dataset: Dataset, minilm: MiniLM, settings: Settings = DEFAULTS, folder: Path | None = None) -> Checkpoint:
    """Heads and transformer on the rows given: leave out the split that is to be measured.

    With ``folder`` a run that was stopped goes on.
    """
    torch.manual_seed(settings.seed)
    encoder, dims = ClipEncoder(lite0=pretrained_lite0()), Dims()
    heads, tokens, labels = fit_tokens(dataset, dims.dim, settings.seed)
    weight, bias = (torch.from_numpy(a).float() for a in (heads.weight, heads.bias))
    encoder.project.load_state_dict({"weight": weight[:, :, None, None], "bias": bias})
    joint = new_joint(tokens, minilm, dims)
    fit_joint(joint, streams_of(dataset, tokens, labels), lookup(minilm), settings, folder)
    return Checkpoint(encoder.eval(), joint, settings)


def train(root: Path, work: Path, settings: Settings = DEFAULTS) -> Path:
    """Train on the split ``train`` of ``root``'s clips.csv and on rendered scenes; → the checkpoint in ``work``.

    Raises FileNotFoundError without clips.csv, ModuleNotFoundError without the packages that hold the weights.
    """
    minilm = read_minilm()
    dataset = gather(root, work, settings.size).only("train")
    path = work / "finetuned.pt"
    fit(dataset, minilm, settings, work).save(path)
    (work / STATE).unlink(missing_ok=True)
    return path

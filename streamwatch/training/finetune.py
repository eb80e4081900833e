"""Clips → cached features → heads → joint transformer → one checkpoint."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from streamwatch.training.captions import caption
from streamwatch.training.dataset import Dataset, gather
from streamwatch.training.heads import Heads, cross_fit, fit_heads, weighting
from streamwatch.training.labels import EVENTS, token_labels, token_weights
from streamwatch.training.lite0 import pretrained_lite0
from streamwatch.training.minilm import MiniLM, initialise, read_minilm
from streamwatch.training.videobert import EXTRAS, ClipEncoder, Dims, Joint
from streamwatch.training.windows import Batch, Stream, draw_batch

__all__ = [
    "Checkpoint",
    "Settings",
    "Words",
    "fit",
    "fit_joint",
    "fit_tokens",
    "lookup",
    "new_joint",
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
RENDERED = {"fight": 0.2, "fall": 0.05}  # rendered falls and fights must not outweigh real ones
RESTRAINT = (0.5, 0.002, 0.01)  # what a change of the heads' own logits costs: on fights they know better
Words = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
"""Captions → word embeddings [B, L, D] and mask [B, L]."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train; the defaults gave the bundled pack."""

    size: int = 160
    window: int = 16
    steps: int = 650
    batch: int = 24
    texts: int = 6  # of the batch come with a caption
    rate: float = 3e-5  # of the pre-trained layers; new parts learn ten times as fast
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What training leaves: both networks and how they were made."""

    encoder: ClipEncoder
    joint: Joint
    settings: Settings

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        state = {"encoder": self.encoder.state_dict(), "joint": self.joint.state_dict()}
        torch.save({**state, "settings": asdict(self.settings), "dims": asdict(self.joint.dims)}, path)

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


def _masked(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy over what is known, with a little label smoothing."""
    known = ~target.isnan()
    smooth = torch.where(known, target, torch.zeros_like(target)) * 0.94 + 0.03
    losses = F.binary_cross_entropy_with_logits(logits.float(), smooth, reduction="none")
    mean: Tensor = (losses * known).sum() / known.sum().clamp(min=1)
    return mean


def _together(a: Tensor, b: Tensor, labels: Sequence[str]) -> Tensor:
    """Contrastive loss both ways; all pairs of one label count as positives."""
    scores = (a @ b.T / 0.1).float()
    same = torch.tensor([[x == y for y in labels] for x in labels], dtype=torch.float32)
    same = same / same.sum(1, keepdim=True)
    there, back = ((s.log_softmax(1) * same).sum(1).mean() for s in (scores, scores.T))
    loss: Tensor = -(there + back) / 2
    return loss


def _other(label: str, rng: np.random.Generator) -> str:
    return str(rng.choice([e for e in ("normal", *EVENTS) if e != label]))


def _loss(joint: Joint, batch: Batch, words: Words, texts: int, rng: np.random.Generator) -> Tensor:
    visual, age, mask, now, each = (
        torch.from_numpy(a) for a in (batch.visual, batch.age, batch.mask, batch.now, batch.each)
    )
    empty = torch.zeros(len(visual), 1, visual.shape[2]), torch.zeros(len(visual), 1)
    slot = joint.slot(age)
    hidden = joint.hidden(visual, slot, mask, *empty)
    events, per_token = joint.decide(hidden, visual, slot, mask)
    weak = EVENTS.index("shoplifting")  # somewhere in the clip: says nothing about one second
    each[:, :, weak][each[:, :, weak] == 1.0] = float("nan")
    each[mask == 0.0] = float("nan")
    change = (joint.event_head(hidden[1]) ** 2).mean((0, 1)) + (joint.now_head(hidden[0]) ** 2).mean(0)
    loss: Tensor = _masked(events, now) + 0.3 * _masked(per_token, each) + (change * torch.tensor(RESTRAINT)).sum()
    if texts:
        seen = F.normalize(joint.embed(hidden[0][:texts]), dim=-1)
        loss = loss + _text_loss(joint, (visual[:texts], age[:texts], mask[:texts]), seen, (batch.labels, words), rng)
    return loss


def _text_loss(
    joint: Joint,
    window: tuple[Tensor, Tensor, Tensor],
    seen: Tensor,
    told_by: tuple[Sequence[str], Words],
    rng: np.random.Generator,
) -> Tensor:
    """Does the caption fit (alignment on [CLS]), and the distance of window and caption in one space."""
    labels, words = told_by[0][: len(seen)], told_by[1]
    fits = rng.random(len(labels)) < 0.5
    told = [x if fit else _other(x, rng) for x, fit in zip(labels, fits, strict=True)]
    _, _, align, _ = joint(*window, *words([caption(x, rng) for x in told]))
    nothing = (
        torch.zeros_like(window[0][:, :1]),
        torch.zeros_like(window[1][:, :1]),
        torch.zeros_like(window[2][:, :1]),
    )
    _, _, _, prompt = joint(*nothing, *words([caption(x, rng) for x in labels]))
    aligned = F.binary_cross_entropy_with_logits(align.float(), torch.from_numpy(fits.astype(np.float32)))
    loss: Tensor = 0.2 * aligned + 0.1 * _together(seen, prompt, labels)
    return loss


def fit_joint(
    joint: Joint,
    streams: Sequence[Stream],
    words: Words,
    settings: Settings,
    watch: Callable[[int, Joint], None] | None = None,
) -> None:
    """Train in place; the weights kept are their moving average. ``watch`` is called now and then."""
    rng = np.random.default_rng(settings.seed)
    old = {id(p) for layer in joint.layers for p in layer.parameters()} | {id(joint.positions), id(joint.types)}
    trained = [p for p in joint.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if id(p) in old], "lr": settings.rate},
        {"params": [p for p in trained if id(p) not in old], "lr": settings.rate * 10},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.05)
    warm = max(1, settings.steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1.0, (s + 1) / warm) * max(0.02, 1.0 - s / settings.steps)
    )
    mean = deepcopy(joint)
    joint.train()
    for step in tqdm(range(settings.steps), desc="joint", mininterval=5):
        batch = draw_batch(streams, settings.batch, settings.window, rng)
        with torch.autocast("cpu", torch.bfloat16):  # 2.6 times as fast as float32
            loss = _loss(joint, batch, words, settings.texts, rng)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
        _follow(mean, joint)
        if watch is not None and (step + 1) % 100 == 0:
            watch(step + 1, mean)
            joint.train()
    joint.load_state_dict(mean.state_dict())
    joint.eval()


def _follow(mean: Joint, joint: Joint, keep: float = 0.98) -> None:
    """Exponential moving average of the weights."""
    with torch.no_grad():
        for slow, fast in zip(mean.parameters(), joint.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)


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


def fit(dataset: Dataset, minilm: MiniLM, settings: Settings = Settings()) -> Checkpoint:
    """Heads and transformer on the rows given: leave out the split that is to be measured."""
    torch.manual_seed(settings.seed)
    encoder, dims = ClipEncoder(lite0=pretrained_lite0()), Dims()
    heads, tokens, labels = fit_tokens(dataset, dims.dim, settings.seed)
    weight, bias = (torch.from_numpy(a).float() for a in (heads.weight, heads.bias))
    encoder.project.load_state_dict({"weight": weight[:, :, None, None], "bias": bias})
    joint = new_joint(tokens, minilm, dims)
    fit_joint(joint, streams_of(dataset, tokens, labels), lookup(minilm), settings)
    return Checkpoint(encoder.eval(), joint, settings)


def train(root: Path, work: Path, settings: Settings = Settings()) -> Path:
    """Train on the split ``train`` of ``root``'s clips.csv and on rendered scenes; → the checkpoint in ``work``.

    Raises FileNotFoundError without clips.csv, ModuleNotFoundError without the packages that hold the weights.
    """
    minilm = read_minilm()
    dataset = gather(root, work, settings.size).only("train")
    path = work / "finetuned.pt"
    fit(dataset, minilm, settings).save(path)
    return path

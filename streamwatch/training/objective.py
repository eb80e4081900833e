"""What fine-tuning makes fall: events now, events of each second, captions that fit."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from streamwatch.training.captions import caption
from streamwatch.training.events import EVENTS
from streamwatch.training.mixing import mix, thin
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import Joint
from streamwatch.training.windows import Batch

__all__ = ["Words", "contrast", "losses", "masked", "perturbed"]

RESTRAINT = (0.5, 0.002, 0.01)  # what a change of the heads' own logits costs: on fights they know better
Words = Callable[[Sequence[str]], tuple[Tensor, Tensor]]
"""Captions → word embeddings [B, L, D] and mask [B, L]."""
Window = tuple[Tensor, Tensor, Tensor]
"""visual [B, N, D], age [B, N], mask [B, N]."""


def masked(logits: Tensor, target: Tensor, smoothing: float = 0.06) -> Tensor:
    """Binary cross-entropy over what is known (not nan), with label smoothing."""
    known = ~target.isnan()
    smooth = torch.where(known, target, torch.zeros_like(target)) * (1 - smoothing) + smoothing / 2
    each = F.binary_cross_entropy_with_logits(logits.float(), smooth, reduction="none")
    mean: Tensor = (each * known).sum() / known.sum().clamp(min=1)
    return mean


def contrast(a: Tensor, b: Tensor, labels: Sequence[str], temperature: float = 0.1) -> Tensor:
    """Contrastive loss both ways [B, D] × [B, D]; all pairs of one label count as positives."""
    scores = (a @ b.T / temperature).float()
    same = torch.tensor([[x == y for y in labels] for x in labels], dtype=torch.float32)
    same = same / same.sum(1, keepdim=True)
    there, back = ((s.log_softmax(1) * same).sum(1).mean() for s in (scores, scores.T))
    loss: Tensor = -(there + back) / 2
    return loss


def perturbed(loss_of: Callable[[Tensor], Tensor], visual: Tensor, mask: Tensor, radius: float) -> Tensor:
    """FreeLB in two steps (Zhu et al., ICLR 2020, arXiv 1909.11764): the mean loss at a random small change of the
    tokens and at one that raised it. ``radius`` is a share of each token's own norm; [B, N, D], [B, N]."""
    if not radius:
        return loss_of(visual)
    reach = radius * visual.norm(dim=-1, keepdim=True) * mask[:, :, None]
    start = (F.normalize(torch.randn_like(visual), dim=-1) * reach / 2).requires_grad_()
    first = loss_of(visual + start)
    (slope,) = torch.autograd.grad(first, start, retain_graph=True)
    worse = start.detach() + F.normalize(slope, dim=-1) * reach
    worse = worse * (reach / worse.norm(dim=-1, keepdim=True).clamp(min=1e-9)).clamp(max=1.0)
    return (first + loss_of(visual + worse)) / 2


def losses(joint: Joint, batch: Batch, words: Words, settings: Settings, rng: np.random.Generator) -> dict[str, Tensor]:
    """The losses of one batch by name; captions go with its first ``settings.texts`` windows."""
    batch = mix(thin(batch, settings.subsample, rng), settings.texts, settings.mixup, rng)
    visual, age, mask, now, each = (
        torch.from_numpy(a) for a in (batch.visual, batch.age, batch.mask, batch.now, batch.each)
    )
    weak = EVENTS.index("shoplifting")  # somewhere in the clip: says nothing about one second
    each[:, :, weak][each[:, :, weak] > 0.0] = float("nan")
    each[mask == 0.0] = float("nan")
    empty = torch.zeros(len(visual), 1, visual.shape[2]), torch.zeros(len(visual), 1)
    slot = joint.slot(age)

    firsts: list[Tensor] = []

    def event_loss(seen: Tensor) -> Tensor:
        hidden = joint.hidden(seen, slot, mask, *empty)
        firsts.append(hidden[0])
        events, per_token = joint.decide(hidden, seen, slot, mask)
        change = (joint.event_head(hidden[1]) ** 2).mean((0, 1)) + (joint.now_head(hidden[0]) ** 2).mean(0)
        known = masked(events, now, settings.smoothing) + 0.3 * masked(per_token, each, settings.smoothing)
        loss: Tensor = known + (change * torch.tensor(RESTRAINT)).sum()
        return loss

    found = {"events": perturbed(event_loss, visual, mask, settings.perturb)}
    if settings.texts:
        first = settings.texts
        seen = F.normalize(joint.embed(firsts[0][:first]), dim=-1)
        told = batch.labels[:first], words, settings.joined
        found.update(_text_losses(joint, (visual[:first], age[:first], mask[:first]), seen, told, rng))
    return found


def _other(label: str, rng: np.random.Generator) -> str:
    return str(rng.choice([e for e in ("normal", *EVENTS) if e != label]))


def _text_losses(
    joint: Joint, window: Window, seen: Tensor, told_of: tuple[Sequence[str], Words, float], rng: np.random.Generator
) -> dict[str, Tensor]:
    """Does the caption fit (alignment on [CLS]), and the distance of window and caption in one space."""
    labels, words, joined = told_of
    fits = rng.random(len(labels)) < 0.5
    told = [x if fit else _other(x, rng) for x, fit in zip(labels, fits, strict=True)]
    _, _, align, _ = joint(*window, *words([caption(x, rng, joined) for x in told]))
    nothing = (
        torch.zeros_like(window[0][:, :1]),
        torch.zeros_like(window[1][:, :1]),
        torch.zeros_like(window[2][:, :1]),
    )
    _, _, _, prompt = joint(*nothing, *words([caption(x, rng) for x in labels]))
    aligned = F.binary_cross_entropy_with_logits(align.float(), torch.from_numpy(fits.astype(np.float32)))
    return {"align": 0.2 * aligned, "contrast": 0.1 * contrast(seen, prompt, labels)}

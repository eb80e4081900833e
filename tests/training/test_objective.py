"""The losses by hand-made logits, and what they teach."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from streamwatch.training.objective import contrast, losses, masked, perturbed
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import Dims, Joint
from streamwatch.training.windows import draw_batch
from tests.training.test_windows import STREAMS

NAN = float("nan")


def test_what_is_not_known_costs_nothing() -> None:
    logits = torch.tensor([[3.0, -50.0]], requires_grad=True)
    loss = masked(logits, torch.tensor([[1.0, NAN]]), smoothing=0.0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(np.log1p(np.exp(-3.0)))
    assert logits.grad is not None and float(logits.grad[0, 1]) == 0.0
    assert float(masked(torch.zeros(1, 2), torch.full((1, 2), NAN))) == 0.0


def test_smoothing_makes_certainty_costly() -> None:
    right = torch.ones(1, 1)
    sure, modest = torch.full((1, 1), 30.0), torch.full((1, 1), 3.0)
    assert masked(sure, right, 0.0) < masked(modest, right, 0.0)
    assert masked(sure, right, 0.1) > masked(modest, right, 0.1)


def test_pairs_of_one_label_are_no_negatives() -> None:
    near = torch.eye(2)
    same = torch.ones(2, 2) / 2**0.5
    assert contrast(near, near, ["a", "b"]) < contrast(same, same, ["a", "b"])
    assert contrast(same, same, ["a", "a"]) == pytest.approx(np.log(2))


def test_a_perturbation_stays_within_its_radius_and_makes_it_worse() -> None:
    torch.manual_seed(0)
    visual, mask = torch.randn(3, 4, 8), torch.ones(3, 4)
    mask[:, 0] = 0.0
    seen: list[Tensor] = []

    def loss_of(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return (x * visual).sum() / 10

    assert perturbed(loss_of, visual, mask, 0.0) == loss_of(visual)
    seen.clear()
    found = perturbed(loss_of, visual, mask, 0.1)
    assert len(seen) == 2
    assert float(found.detach()) > float(loss_of(visual))
    moved = (seen[1] - visual).norm(dim=-1)
    assert (moved <= 0.1 * visual.norm(dim=-1) + 1e-5).all()
    assert (moved[:, 0] == 0).all(), "empty slots stay empty"


def words(captions: Sequence[str]) -> tuple[Tensor, Tensor]:
    return torch.full((len(captions), 2, 8), 0.1), torch.ones(len(captions), 2)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(batch=6, texts=0),
        Settings(batch=6, texts=3),
        Settings(batch=6, texts=2, mixup=0.4, subsample=3, joined=0.5, perturb=0.05),
    ],
)
def test_every_loss_is_finite_and_reaches_the_weights(settings: Settings) -> None:
    torch.manual_seed(0)
    joint = Joint(Dims(dim=8, layers=1, heads=2, inner=8, ages=8, words=8))
    rng = np.random.default_rng(0)
    pad = [replace(s, tokens=np.pad(s.tokens, ((0, 0), (0, 3)))) for s in STREAMS]
    found = losses(joint, draw_batch(pad, 6, 8, rng), words, settings, rng)
    assert set(found) == {"events", *(("align", "contrast") if settings.texts else ())}
    total = torch.stack(list(found.values())).sum()
    total.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(total)
    assert joint.event_head.weight.grad is not None and bool(joint.event_head.weight.grad.abs().sum() > 0)

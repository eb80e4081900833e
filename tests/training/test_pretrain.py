"""Both stages' losses on made-up clips and a vocabulary of fifty words."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from streamwatch.training.narrated import Narrated, Told
from streamwatch.training.pretrain import Pretraining, Tokens, align_losses, hidden_losses, info_nce
from streamwatch.training.recipe import PretrainRecipe
from streamwatch.training.videobert import Dims, Joint

DIMS = Dims(dim=16, layers=1, heads=2, inner=16, ages=16, words=32)
HOW = PretrainRecipe(batch=6, window=8)


class Numbered(Tokens):
    """A word is the place of its first letter."""

    def __init__(self) -> None:
        pass

    def __call__(self, captions: Sequence[str]) -> list[list[int]]:
        return [[ord(word[0]) % 50 for word in caption.split()] for caption in captions]


def clips(count: int = 8, seconds: int = 8) -> list[Narrated]:
    """Odd files are fights whose word is always 3, even ones normal, word 40."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(count):
        label, word = ("fight", 3) if i % 2 else ("normal", 40)
        tokens = rng.normal(size=(seconds, 16)).astype(np.float32) + (2.0 if i % 2 else -2.0)
        words = np.tile(np.array([[i % 8, word]]), (seconds, 1))
        target = np.eye(32, dtype=np.float32)[words[:, 1] % 32] + 0.1 * rng.normal(size=(seconds, 32))
        times = np.stack([np.arange(seconds), np.arange(seconds) + 1], 1).astype(np.float64)
        found.append(Narrated(tokens, words, target.astype(np.float32), times, (), label, f"s{i % 2}", f"g{i % 4}"))
    return found


def model() -> Pretraining:
    torch.manual_seed(0)
    return Pretraining(Joint(DIMS), torch.randn(120, 16))


@pytest.mark.parametrize("subsample", [1, 3])
@pytest.mark.parametrize("losses", [align_losses, hidden_losses])
def test_every_loss_is_finite_and_falls(losses: object, subsample: int) -> None:
    made, given, ids = model(), clips(), Numbered()
    how = HOW.model_copy(update={"subsample": subsample})
    assert callable(losses)
    optimiser = torch.optim.Adam(made.parameters(), 6e-3)
    rng = np.random.default_rng(0)
    history = []
    for _ in range(40):
        found = losses(made, given, how, ids, rng)
        loss = torch.stack(list(found.values())).sum()
        assert torch.isfinite(loss)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        history.append(float(loss.detach()))
    assert np.mean(history[-8:]) < np.mean(history[:8])


def test_losses_are_named_and_weighted() -> None:
    made, rng = model(), np.random.default_rng(0)
    assert set(align_losses(made, clips(), HOW, Numbered(), rng)) == {"align", "contrast", "keep"}
    off = HOW.model_copy(update={"text": 0.0, "both": 0.0, "keep": 0.0})
    found = hidden_losses(made, clips(), off, Numbered(), rng)
    assert set(found) == {"text", "video", "both", "keep"}
    assert [float(found[name].detach()) for name in ("text", "both", "keep")] == [0, 0, 0]
    assert float(found["video"].detach()) > 0


def test_nothing_is_forgotten_at_first_and_the_first_weights_are_no_part_of_it() -> None:
    made = model().eval()
    text = made.text(Numbered()(["two men fight", "a man walks"]))
    with torch.no_grad():
        torch.testing.assert_close(made.sentence(text), made.sentence(text, made.first[0]))
    assert not any("first" in name for name in made.state_dict())
    assert "words" not in made.state_dict()


def test_padding_of_captions_does_not_matter() -> None:
    made = model().eval()
    short = Numbered()(["a man"])
    with torch.no_grad():
        alone = made.read(made.text(short))[0]
        beside = made.read(made.text([*short, [5] * 9]))[0][:1]
    torch.testing.assert_close(alone, beside, rtol=1e-4, atol=1e-5)


def told(sources: Sequence[str], seconds: int = 4) -> Told:
    count = len(sources)
    target = np.random.default_rng(1).normal(size=(count, seconds, 32)).astype(np.float32)
    ones, words = np.ones((count, seconds), np.float32), np.zeros((count, seconds, 2), np.int64)
    names = tuple(sources)
    return Told(np.zeros((count, seconds, 16), np.float32), ones, ones, words, target, names, names, names, names)


def test_the_own_target_wins_among_those_of_the_same_source() -> None:
    given = told(["a", "a", "b", "b", "b"])
    hidden = np.zeros((5, 4), bool)
    hidden[0, 1] = hidden[3, 2] = True
    right = torch.from_numpy(np.stack([given.target[0, 1], given.target[3, 2]]))
    wrong = torch.from_numpy(np.stack([given.target[0, 2], given.target[3, 1]]))
    assert float(info_nce(right, given, hidden)) < 0.1 < float(info_nce(wrong, given, hidden))
    other = torch.from_numpy(np.stack([given.target[4, 0], given.target[0, 0]]))
    few = told(["a", "b", "b", "b", "b"])
    assert float(info_nce(right, few, hidden)) < float(info_nce(other, few, hidden))

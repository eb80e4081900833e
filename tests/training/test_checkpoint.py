"""Checkpoints on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.heads import Heads
from streamwatch.training.recipe import FeatureRecipe, Recipe
from streamwatch.training.settings import Settings
from streamwatch.training.videobert import ClipEncoder, Dims, Joint

DIMS = Dims(dim=32, layers=1, heads=4, inner=32, ages=16, words=16)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    heads = Heads(np.arange(8.0).reshape(2, 4), np.ones(2))
    recipe = Recipe(name="ours", features=FeatureRecipe(variants=3))
    kept = Checkpoint(ClipEncoder(dim=32).eval(), Joint(DIMS).eval(), Settings(window=8), recipe, heads)
    kept.save(tmp_path / "a" / "model.pt")
    found = Checkpoint.load(tmp_path / "a" / "model.pt")
    assert (found.settings, found.recipe, found.joint.dims) == (Settings(window=8), recipe, DIMS)
    for a, b in zip(kept.joint.parameters(), found.joint.parameters(), strict=True):
        assert torch.equal(a, b)
    assert found.heads is not None
    np.testing.assert_array_equal(found.heads.weight, heads.weight)


def test_what_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"something else")
    with pytest.raises(TrainingError, match=r"model\.pt"):
        Checkpoint.load(tmp_path / "model.pt")
    torch.save({"joint": {}}, tmp_path / "half.pt")
    with pytest.raises(TrainingError, match=r"half\.pt"):
        Checkpoint.load(tmp_path / "half.pt")
    with pytest.raises(FileNotFoundError):
        Checkpoint.load(tmp_path / "none.pt")

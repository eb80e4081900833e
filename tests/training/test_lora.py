"""Adapters: nothing at first, merged at last."""

import pytest
import torch

from streamwatch.training.lora import adapt, merge
from streamwatch.training.videobert import Dims, Joint
from tests.training.test_videobert import slots

pytest.importorskip("peft", reason="peft is not installed")


def test_fresh_adapters_change_nothing_and_only_they_and_the_heads_learn() -> None:
    torch.manual_seed(0)
    joint = Joint(Dims(dim=24, layers=2, heads=4, inner=32, events=3, ages=8, words=8)).eval()
    before = joint(**slots())[0]
    wrapped = adapt(joint, 4)
    joint.eval()
    torch.testing.assert_close(joint(**slots())[0], before)
    learning = {name for name, p in joint.named_parameters() if p.requires_grad}
    assert all("lora_" in name for name in learning if name.startswith("layers."))
    assert {"event_head.weight", "positions"} <= learning
    assert "scale" not in learning, "what comes from the data stays"
    merge(wrapped)
    assert set(joint.state_dict()) == set(Joint(joint.dims).state_dict())
    torch.testing.assert_close(joint.eval()(**slots())[0], before)

"""Narrower eyes: which channels go, and that taking them out is the same as never hearing them."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from streamwatch.training.lite0 import Lite0, widths_of
from streamwatch.training.prune import MULTIPLE, importance, kept, pruned

BLOCKS = tuple(range(11))
FULL = [32, 96, 144, 144, 240, 240, 480, 480, 480, 672, 672]


def eyes(seed: int = 0) -> Lite0:
    """Random weights and batch norms, no two alike."""
    torch.manual_seed(seed)
    lite0 = Lite0()
    for module in lite0.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.2, 0.2)
            nn.init.normal_(module.running_mean, 0.0, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.05, 0.5)  # type: ignore[arg-type]
    return lite0.eval()


def maps(lite0: Lite0) -> list[torch.Tensor]:
    with torch.no_grad():
        return lite0.stages(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)), BLOCKS)


@pytest.mark.parametrize(
    ("wide", "share", "count"),
    [(96, 0.15, 80), (240, 0.3, 160), (480, 0.3, 336), (672, 0.5, 336), (96, 0.9, 16), (96, 0.01, 96), (8, 0.9, 8)],
)
def test_as_many_are_left_as_int8_takes_at_a_time(wide: int, share: float, count: int) -> None:
    assert kept(wide, share) == count
    assert count % MULTIPLE == 0 or count == wide


def test_without_the_weakest_channels_all_maps_are_as_if_these_were_silent() -> None:
    whole = eyes()
    silent = deepcopy(whole)
    narrow = pruned(whole, 0.3)
    for number in BLOCKS[1:]:
        score = importance(whole.state_dict(), f"_blocks.{number}.")
        gone = score.argsort()[: FULL[number] - kept(FULL[number], 0.3)]
        silent.state_dict()[f"_blocks.{number}._project_conv.weight"][:, gone] = 0.0
    for ours, theirs, before in zip(maps(narrow), maps(silent), maps(whole), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        assert ours.shape == before.shape
    assert not torch.allclose(maps(narrow)[-1], maps(whole)[-1], rtol=1e-2)


def test_it_is_narrower_in_fact_and_leaves_the_whole_as_it_was() -> None:
    whole = eyes()
    before = deepcopy(whole.state_dict())
    narrow = pruned(whole, 0.5)
    assert widths_of(whole.state_dict()) == FULL
    assert widths_of(narrow.state_dict()) == [32, *(kept(wide, 0.5) for wide in FULL[1:])]
    weights = [sum(p.numel() for p in lite0.parameters()) for lite0 in (narrow, whole)]
    assert weights[0] < 0.55 * weights[1]
    assert all(torch.equal(x, before[name]) for name, x in whole.state_dict().items())


def test_one_that_is_narrow_already_is_made_narrower_still() -> None:
    twice = pruned(pruned(eyes(), 0.3), 0.3)
    assert widths_of(twice.state_dict())[1:3] == [48, 64]
    assert torch.isfinite(maps(twice)[-1]).all()


def test_nothing_taken_is_nothing_changed() -> None:
    whole = eyes()
    for ours, theirs in zip(maps(pruned(whole, 0.0)), maps(whole), strict=True):
        assert torch.equal(ours, theirs)


def test_a_block_as_narrow_as_what_comes_in_still_expands() -> None:
    narrow = pruned(eyes(), 0.9)  # block 1: 16 channels come in, 96 · 0.1 are 16 by sixteens
    assert widths_of(narrow.state_dict())[1] == 16
    again = Lite0(widths_of(narrow.state_dict()))
    again.load_state_dict(narrow.state_dict())
    assert torch.equal(maps(again.eval())[-1], maps(narrow)[-1])


@pytest.mark.parametrize("part", ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv"])
def test_a_channel_that_any_part_silences_counts_for_nothing(part: str) -> None:
    weights = eyes().state_dict()
    silenced = weights[f"_blocks.3.{part}.weight"]
    (silenced.transpose(0, 1) if part == "_project_conv" else silenced)[5] = 0.0
    assert importance(weights, "_blocks.3.").argmin() == 5


def test_what_one_part_has_more_and_the_next_less_does_not_count() -> None:
    weights = eyes().state_dict()
    before = importance(weights, "_blocks.3.")
    weights["_blocks.3._bn0.weight"][7] *= 4.0
    weights["_blocks.3._depthwise_conv.weight"][7] /= 4.0
    torch.testing.assert_close(importance(weights, "_blocks.3."), before)


def test_what_the_norm_behind_the_projection_drowns_counts_little() -> None:
    """Two outputs; a channel that feeds only the one whose scale is tiny is weaker than one that feeds the other."""
    weights = eyes().state_dict()
    columns = weights["_blocks.3._project_conv.weight"]
    columns[:, 1:3] = 0.0
    columns[0, 1], columns[1, 2] = 1.0, 1.0
    for name in ("_expand_conv", "_depthwise_conv", "_bn0", "_bn1"):
        rows = weights[f"_blocks.3.{name}.weight"]
        rows[2] = rows[1]
        if name.startswith("_bn"):
            variances = weights[f"_blocks.3.{name}.running_var"]
            variances[2] = variances[1]
    weights["_blocks.3._bn2.weight"][0] = 1e-3
    found = importance(weights, "_blocks.3.")
    assert found[1] < 0.1 * found[2]

"""Projections fitted to what the whole eyes gave."""

import torch

from streamwatch.training.lite0 import Block, Lite0
from streamwatch.training.prune import pruned
from streamwatch.training.reconstruct import FIRST, project, reconstruct
from tests.training.test_prune import eyes


def pictures(seed: int) -> torch.Tensor:
    return torch.randn(8, 3, 128, 128, generator=torch.Generator().manual_seed(seed))


def apart(narrow: Lite0, whole: Lite0, seed: int) -> float:
    """Of the last map, in its own size."""
    with torch.no_grad():
        ours, theirs = (lite0.stages(pictures(seed), [10])[0] for lite0 in (narrow, whole))
    return float((ours - theirs).norm() / (theirs - theirs.mean((0, 2, 3), keepdim=True)).norm())


def into_the_first(whole: Lite0) -> list[torch.Tensor]:
    with torch.no_grad():
        return [whole.stages(pictures(seed), [FIRST - 1])[0] for seed in (0, 1, 3)]


def test_most_of_what_was_lost_is_back_also_in_pictures_that_were_not_fitted() -> None:
    whole = eyes()
    narrow = pruned(whole, 0.3)
    before = apart(narrow, whole, 2)
    reconstruct(whole, narrow, into_the_first(whole))
    assert apart(narrow, whole, 2) < 0.6 * before


def test_nothing_pruned_is_nothing_changed() -> None:
    whole = eyes()
    same = pruned(whole, 0.0)
    reconstruct(whole, same, into_the_first(whole))
    assert apart(same, whole, 2) < 0.05


def test_only_projections_and_the_means_behind_them_change() -> None:
    whole = eyes()
    narrow, before = pruned(whole, 0.3), pruned(whole, 0.3).state_dict()
    reconstruct(whole, narrow, into_the_first(whole))
    changed = {name for name, x in narrow.state_dict().items() if not torch.equal(x, before[name])}
    assert changed == {
        f"_blocks.{number}.{part}" for number in range(1, 11) for part in ("_project_conv.weight", "_bn2.running_mean")
    }


def test_a_linear_map_and_its_bias_are_found_again() -> None:
    torch.manual_seed(0)
    block = Block(16, 24, 3, 1, 32, True).eval()
    weight, bias = torch.randn(24, 32), torch.randn(24)
    inside = torch.randn(2, 32, 20, 20)
    wanted = torch.einsum("oc,nchw->nohw", weight, inside) + bias[:, None, None]
    with torch.no_grad():
        project(block, [(inside[:1], wanted[:1]), (inside[1:], wanted[1:])])
    torch.testing.assert_close(block._project_conv.weight[:, :, 0, 0], weight, atol=1e-2, rtol=1e-2)
    assert block._bn2.running_mean is not None
    torch.testing.assert_close(block._bn2.running_mean, -bias, atol=1e-2, rtol=1e-2)


def test_a_channel_that_is_always_silent_harms_nothing() -> None:
    block = Block(16, 24, 3, 1, 32, True).eval()
    inside = torch.randn(1, 32, 20, 20)
    inside[:, 3] = 0.0
    with torch.no_grad():
        project(block, [(inside, inside[:, :24])])
    assert torch.isfinite(block._project_conv.weight).all()

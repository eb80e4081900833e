"""The training loop on made-up features: it learns, it is reproducible, it restrains itself."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry
from streamwatch.training.dataset import Dataset
from streamwatch.training.events import EVENTS
from streamwatch.training.features import Features
from streamwatch.training.finetune import fit_joint, fit_tokens, go_on_from, new_joint, streams_of
from streamwatch.training.lite0 import Lite0
from streamwatch.training.recipe import Recipe, ShareRecipe, load_recipe
from streamwatch.training.settings import Settings
from streamwatch.training.sight import Sight, Tuned
from streamwatch.training.videobert import CELL_FEATURES, NEAR_FEATURES, Dims, Joint

DIMS = Dims(dim=32, layers=1, heads=4, inner=32, ages=16, words=16)
SETTINGS = Settings(window=8, steps=4, batch=6, texts=3, rate=1e-3)


def made(files: int = 24, seconds: int = 4, seed: int = 0) -> Dataset:
    """Files of four labels; feature k is raised in the files of event k."""
    rng = np.random.default_rng(seed)
    labels = [("normal", *EVENTS)[i % 4] for i in range(files)]
    homes = {"fight": "surv_fight", "fall": "urfall", "shoplifting": "mnnit_shoplifting", "normal": "surv_fight"}
    entries = [Entry(f"{i}.mp4", homes[x], x, f"g{i % 12}", "train", seconds, "") for i, x in enumerate(labels)]
    x = rng.normal(size=(files * seconds, CELL_FEATURES)).astype(np.float32)
    number = np.repeat(np.arange(files), seconds)
    for row, i in enumerate(number):
        if labels[i] in EVENTS:
            x[row, 40 * EVENTS.index(labels[i]) : 40 * EVENTS.index(labels[i]) + 40] += 3
    start = np.tile(np.arange(seconds, dtype=np.float64), files)
    segments = {e.path: [(0.0, 1.2, "fall", "falls")] for e in entries if e.label == "fall"}
    own, variant = np.full((len(x), 3), np.nan, np.float32), np.zeros(len(x), np.int64)
    return Dataset(Features(x, own, number, variant, start, start + 1), entries, segments)


def words(captions: Sequence[str]) -> tuple[Tensor, Tensor]:
    return torch.full((len(captions), 2, 32), 0.1), torch.ones(len(captions), 2)


def trained(settings: Settings = SETTINGS) -> tuple[Joint, Joint]:
    """(before, after)."""
    torch.manual_seed(0)
    _, tokens, labels = fit_tokens(made(), 32)
    before, after = (new_joint(tokens, None, DIMS) for _ in range(2))
    after.load_state_dict(before.state_dict())
    torch.manual_seed(1)
    fit_joint(after, streams_of(made(), tokens, labels), words, settings)
    return before, after


def test_tokens_begin_with_cross_fitted_event_logits() -> None:
    dataset = made()
    heads, tokens, labels = fit_tokens(dataset, 32)
    assert tokens.shape == (96, 32)
    fights = labels[:, 0] == 1
    assert tokens[fights, 0].mean() > tokens[~fights, 0].mean()
    assert not np.allclose(tokens[:, :3], heads(dataset.features.x)[:, :3]), "no row's own group was seen"
    np.testing.assert_allclose(tokens[:, 3:], heads(dataset.features.x)[:, 3:])


def test_an_untrained_joint_averages_the_newest_logits_and_doubts_a_single_second() -> None:
    _, tokens, _ = fit_tokens(made(), 32)
    joint = new_joint(tokens, None, DIMS).eval()
    visual = torch.full((1, 8, 32), 4.0)
    age = torch.arange(7, -1, -1).float()[None]
    nothing = torch.zeros(1, 1, 32), torch.zeros(1, 1)
    alone = torch.zeros(1, 8)
    alone[0, -1] = 1.0
    with torch.no_grad():
        full, each, _, _ = joint(visual, age, torch.ones(1, 8), *nothing)
        single = joint(visual, age, alone, *nothing)[0]
    torch.testing.assert_close(each, visual[:, :, :3])
    assert (full < 4.0).all()
    assert float(single[0, 0]) == pytest.approx((4.0 - 1.0) / 2)
    assert float(full[0, 0]) > float(single[0, 0])


def test_a_few_steps_change_the_transformer_and_leave_finite_weights() -> None:
    before, after = trained()
    assert all(torch.isfinite(p).all() for p in after.parameters())
    assert not after.training
    assert not torch.equal(before.event_head.weight, after.event_head.weight)
    assert torch.equal(before.scale, after.scale), "what comes from the data is not trained"


def test_training_is_reproducible() -> None:
    one, two = trained()[1], trained()[1]
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_text_can_be_left_out() -> None:
    before, after = trained(Settings(window=8, steps=2, batch=4, texts=0, rate=1e-3))
    assert torch.equal(before.align_head.weight, after.align_head.weight)


def test_streams_are_files_in_order_of_time() -> None:
    dataset = made(files=4, seconds=3)
    turned = Dataset(
        Features(*(getattr(dataset.features, n)[::-1] for n in Features.__slots__)), dataset.entries, dataset.segments
    )
    values = np.asarray(turned.features.start, np.float32)[:, None]
    streams = streams_of(turned, values, np.zeros((12, 3), np.float32))
    assert [s.label for s in streams] == ["normal", "fight", "fall", "shoplifting"]
    assert all(s.tokens[:, 0].tolist() == [0, 1, 2] for s in streams)


def test_adapters_learn_in_place_of_the_layers_and_are_merged() -> None:
    pytest.importorskip("peft", reason="peft is not installed")
    before, after = trained(SETTINGS.model_copy(update={"lora": 2, "fresh": 100.0}))
    assert set(after.state_dict()) == set(before.state_dict())
    assert not torch.equal(before.layers[0].query.weight, after.layers[0].query.weight)  # type: ignore[union-attr,arg-type]
    assert torch.equal(before.layers[0].norm.weight, after.layers[0].norm.weight)  # type: ignore[union-attr,arg-type]
    assert not torch.equal(before.event_head.weight, after.event_head.weight)
    change = after.layers[0].query.weight - before.layers[0].query.weight  # type: ignore[union-attr,operator]
    assert int(torch.linalg.matrix_rank(change, rtol=1e-3)) <= 2


def test_a_foreign_basis_keeps_all_but_the_event_logits() -> None:
    basis, *_ = fit_tokens(made(seed=1), 32)
    heads, *_ = fit_tokens(made(), 32, Recipe(), basis)
    np.testing.assert_array_equal(heads.weight[3:], basis.weight[3:])
    assert not np.allclose(heads.weight[:3], basis.weight[:3])


def test_an_event_without_examples_is_never_seen() -> None:
    """Whoever has only fights can train on them."""
    given = made()
    fights = given.where(lambda e: e.label in ("fight", "normal"))
    _, tokens, _ = fit_tokens(fights, 32)
    assert (tokens[:, 1:3] == -4.0).all()


def test_the_recipe_says_what_a_source_counts() -> None:
    shares = ShareRecipe(away=0.5, sources={"film": {"away": 0.2, "fight": 0.25}})
    assert shares.of("film", "fight", at_home=True) == 0.25
    assert shares.of("film", "fall", at_home=True) == 1.0
    assert shares.of("film", "fall", at_home=False) == pytest.approx(0.1)
    assert shares.of("street", "fall", at_home=False) == 0.5


def test_the_shipped_recipe_counts_as_the_bundled_pack_was_made() -> None:
    shares = load_recipe("videobert-small").shares
    found = [shares.of("synthetic", e, True) for e in ("fight", "fall")]
    assert [*found, shares.of("mnnit_shoplifting", "fight", False)] == pytest.approx([0.2, 0.15, 0.02])


def test_what_pretraining_learnt_is_taken_over_but_not_how_it_decides() -> None:
    torch.manual_seed(3)
    start, joint = Joint(DIMS), Joint(DIMS)
    own = joint.event_head.weight.clone()
    go_on_from(joint, start)
    assert torch.equal(joint.embed.weight, start.embed.weight)
    assert torch.equal(joint.event_head.weight, own)
    with pytest.raises(TrainingError, match="inner=64"):
        go_on_from(joint, Joint(Dims(dim=32, layers=1, heads=4, inner=64, ages=16, words=16)))


def test_tuned_eyes_keep_their_heads_for_the_events_that_the_recipe_names() -> None:
    dataset = made()
    rng = np.random.default_rng(0)
    own = rng.normal(size=(len(dataset.features.x), 3)).astype(np.float32)
    told = replace(dataset, features=replace(dataset.features, own=own))
    weight, bias = torch.randn(3, CELL_FEATURES), torch.randn(3)
    sight = Sight(Lite0(), torch.zeros(NEAR_FEATURES), weight, bias)
    tuned = Tuned(sight, ((frozenset({"g0"}), sight),))
    fitted, _, _ = fit_tokens(dataset, 32)
    heads, tokens, _ = fit_tokens(told, 32, tuned=tuned)
    np.testing.assert_allclose(heads.weight[0], weight[0].numpy())
    np.testing.assert_allclose(heads.weight[1:], fitted.weight[1:])
    np.testing.assert_allclose(tokens[:, 0], own[:, 0])
    assert not np.allclose(tokens[:, 1], own[:, 1])
    alone, _, _ = fit_tokens(told, 32, tuned=Tuned(sight))
    np.testing.assert_allclose(alone.weight[0], fitted.weight[0])

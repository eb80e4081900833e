"""The bundled pack in ONNX Runtime: real graphs, real numbers."""

import hashlib
import json
import shutil
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamwatch.errors import InferenceError, PackError, ProviderError
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import CARD, load_pack


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    return OnnxModel(load_pack("bundled"), "cpu")


def noise(batch: int, model: OnnxModel) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    card = model.card
    shape = (batch, card.frames, card.size, card.size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_says_what_runs(model: OnnxModel) -> None:
    assert model.provider == "cpu"


def test_a_batch_gives_what_each_clip_gives(model: OnnxModel) -> None:
    frames = noise(3, model)
    token, grid, motion = model.encode(frames)
    single = model.encode(frames[1:2])
    g = model.card.grid
    assert (token.shape, grid.shape, motion.shape) == ((3, model.card.dim), (3, model.card.dim, g, g), (3, g, g))
    assert all(
        np.array_equal(of_batch[1], alone[0]) for of_batch, alone in zip((token, grid, motion), single, strict=True)
    )


def test_side_by_side_gives_bit_for_bit_what_one_after_the_other_gives(model: OnnxModel) -> None:
    frames = noise(5, model)
    visual = np.random.default_rng(3).normal(size=(5, model.card.window, model.card.dim)).astype(np.float32)
    age = np.tile(np.arange(model.card.window - 1, -1, -1, dtype=np.float32), (5, 1))
    before = set(threading.enumerate())
    with closing(OnnxModel(load_pack("bundled"), "cpu", threads=1)) as alone:
        arrays: list[NDArray[Any]] = [*alone.encode(frames), alone.score(visual, age, np.ones_like(age))]
        expected = [array.tobytes() for array in arrays]
    with closing(OnnxModel(load_pack("bundled"), "cpu", threads=2)) as both:
        assert (both.threads, both.max_batch) == (2, 4)
        assert set(threading.enumerate()) == before  # a stage that is built and not started has no thread
        for _ in range(3):
            found: list[NDArray[Any]] = [*both.encode(frames), both.score(visual, age, np.ones_like(age))]
            assert [array.tobytes() for array in found] == expected
        assert len(set(threading.enumerate()) - before) == 2
    assert set(threading.enumerate()) == before


def test_its_clock_counts_all_threads_that_compute(model: OnnxModel) -> None:
    frames = noise(4, model)
    with closing(OnnxModel(load_pack("bundled"), "cpu", threads=2)) as both:
        spent = []
        for chosen in (both, model) * 3:
            began = chosen.spent()
            chosen.encode(frames)
            spent.append(chosen.spent() - began)
    assert min(spent[0::2]) == pytest.approx(min(spent[1::2]), rel=0.4)  # half as much, if one were forgotten


def test_the_token_is_the_grid_weighted_by_motion(model: OnnxModel) -> None:
    """What makes a zone's token possible without a second pass."""
    token, grid, motion = model.encode(noise(2, model))
    assert (motion > 0).all()
    pooled = (grid * motion[:, None]).sum(axis=(2, 3)) / motion.sum(axis=(1, 2))[:, None]
    cosine = (pooled * token).sum(axis=1) / np.linalg.norm(pooled, axis=1) / np.linalg.norm(token, axis=1)
    assert cosine.min() > 0.99


def test_masked_slots_do_not_matter(model: OnnxModel) -> None:
    card, rng = model.card, np.random.default_rng(1)
    visual = rng.normal(size=(2, card.window, card.dim)).astype(np.float32)
    visual[1] = visual[0]
    visual[1, :-2] = 99.0
    mask = np.zeros((2, card.window), np.float32)
    mask[:, -2:] = 1
    age = np.tile(np.arange(card.window - 1, -1, -1, dtype=np.float32), (2, 1))
    scores = model.score(visual, age, mask)
    assert scores.shape == (2, len(card.events))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[0] == pytest.approx(scores[1], abs=0.02)  # dynamic int8 takes its range from masked slots, too


def test_what_else_is_scored_at_the_moment_does_not_matter(model: OnnxModel) -> None:
    card, rng = model.card, np.random.default_rng(2)
    visual = rng.normal(size=(5, card.window, card.dim)) * np.geomspace(0.3, 5, 5)[:, None, None]
    mask = (rng.uniform(size=(5, card.window)) < 0.7).astype(np.float32)
    age = np.tile(np.arange(card.window - 1, -1, -1, dtype=np.float32), (5, 1))
    seen = visual.astype(np.float32)
    together = model.score(seen, age, mask)
    alone = [model.score(seen[k : k + 1], age[k : k + 1], mask[k : k + 1])[0] for k in range(5)]
    assert np.array_equal(together, np.stack(alone))


def test_a_wrong_shape_is_an_error_not_a_crash(model: OnnxModel) -> None:
    with pytest.raises(InferenceError):
        model.encode(np.zeros((1, 2, 8, 8, 3), np.uint8))


def test_a_provider_that_is_not_there_is_refused_if_strict() -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has a GPU")
    assert OnnxModel(load_pack("bundled"), "cuda").provider == "cpu"
    with pytest.raises(ProviderError, match="cuda was asked for"):
        OnnxModel(load_pack("bundled"), "cuda", strict=True)


@pytest.mark.parametrize("content", [b"", b"no graph at all", b"\x08\x08"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    pack = Path(shutil.copytree(load_pack("bundled").path, tmp_path / "pack"))
    (pack / "joint.onnx").write_bytes(content)
    card = json.loads((pack / CARD).read_text())
    card["files"]["joint.onnx"] = hashlib.sha256(content).hexdigest()
    (pack / CARD).write_text(json.dumps(card))
    with pytest.raises(PackError, match=r"joint\.onnx"):
        OnnxModel(load_pack(str(pack)), "cpu")


def test_graphs_that_are_not_what_the_card_says_are_refused(tmp_path: Path) -> None:
    pack = Path(shutil.copytree(load_pack("bundled").path, tmp_path / "pack"))
    card = json.loads((pack / CARD).read_text())
    card["size"] = 64
    (pack / CARD).write_text(json.dumps(card))
    with pytest.raises(PackError):
        OnnxModel(load_pack(str(pack)), "cpu")

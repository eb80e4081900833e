"""States of runs: whole, of their own run, with the random numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.training.run_state import once, read_state, write_atomically, write_state


def test_both_sources_of_random_numbers_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    torch.manual_seed(3)
    rng.random(5)
    write_state(tmp_path / "a" / "state.pt", {"rng": rng.bit_generator.state, "step": 4}, "key")
    expected = rng.random(), float(torch.rand(1))
    found = read_state(tmp_path / "a" / "state.pt", "key")
    other = np.random.default_rng(0)
    other.bit_generator.state = found["rng"]
    assert (other.random(), float(torch.rand(1))) == expected
    assert found["step"] == 4


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    write_state(tmp_path / "state.pt", {"rng": {}}, "rate 1")
    with pytest.raises(TrainingError, match="other settings or data"):
        read_state(tmp_path / "state.pt", "rate 2")


@pytest.mark.parametrize("length", [0, 10, 400])
def test_half_a_file_is_refused_by_name(tmp_path: Path, length: int) -> None:
    path = tmp_path / "state.pt"
    write_state(path, {"rng": {}, "x": torch.zeros(500)}, "key")
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(TrainingError, match=r"state\.pt"):
        read_state(path, "key")


def test_what_an_aborted_write_left_is_neither_read_nor_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    write_atomically(path, {"x": 1})
    (tmp_path / "state.pt.part").write_bytes(b"half")
    assert torch.load(path, weights_only=True) == {"x": 1}
    write_atomically(path, {"x": 2})
    assert torch.load(path, weights_only=True) == {"x": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_random_numbers_of_a_gpu_come_back(tmp_path: Path) -> None:
    torch.rand(5, device="cuda")
    write_state(tmp_path / "state.pt", {"rng": {}}, "key")
    expected = torch.rand(3, device="cuda")
    read_state(tmp_path / "state.pt", "key")
    torch.testing.assert_close(torch.rand(3, device="cuda"), expected, rtol=0, atol=0)


def test_a_state_of_before_gpus_or_of_another_machine_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    write_state(path, {"rng": {}, "step": 4}, "key")
    kept = torch.load(path, weights_only=True)
    write_atomically(path, {name: x for name, x in kept.items() if name != "gpu_rng"})
    assert read_state(path, "key")["step"] == 4
    write_atomically(path, {**kept, "gpu_rng": [torch.get_rng_state()] * 99})
    assert read_state(path, "key")["step"] == 4


def test_what_was_made_once_is_not_made_again_and_its_random_numbers_go_on(tmp_path: Path) -> None:
    path, made = tmp_path / "run" / "heads.pt", []

    def one(key: str) -> tuple[torch.Tensor, float]:
        rng, part = np.random.default_rng(4), torch.zeros(3)

        def make() -> None:
            made.append(key)
            part.copy_(torch.from_numpy(rng.random(3)))

        once(path, key, rng, {"part": part}, make)
        return part, rng.random()

    first, again = one("a"), one("a")
    assert made == ["a"]
    assert torch.equal(first[0], again[0]) and first[1] == again[1]
    one("b")
    assert made == ["a", "b"], "of another run"
    path.write_bytes(b"half")
    one("b")
    assert made == ["a", "b", "b"]

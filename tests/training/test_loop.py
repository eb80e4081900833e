"""The loop: it learns, stops, goes on where it was, and ends with the same weights whatever happened on the way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from streamwatch.errors import TrainingError
from streamwatch.training.loop import STATE, Objective, Stopped, optimise, rates
from streamwatch.training.settings import Settings

ROOT = Path(__file__).parent.parent.parent
SETTINGS = Settings(steps=30, epoch=5, batch=8, texts=0, rate=1e-2, fresh=1.0, ema=0.8, half=False)
RUN = """
import sys, time, torch
from pathlib import Path
from tests.training.test_loop import SETTINGS, net, task
from streamwatch.training.loop import optimise
model = net()
optimise(model, task(model, lambda step: time.sleep(0.03)), SETTINGS, Path(sys.argv[1]))
torch.save(model.state_dict(), Path(sys.argv[1]) / "done.pt")
"""


def net() -> nn.Module:
    torch.manual_seed(7)
    return nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Dropout(0.2), nn.Linear(16, 1))


def task(model: nn.Module, before: Callable[[int], None] = lambda step: None) -> Objective:
    """Learn a sum, from batches and through dropout that both draw random numbers."""
    steps = iter(range(1, 10_000))

    def objective(rng: np.random.Generator) -> dict[str, Tensor]:
        before(next(steps))
        x = torch.from_numpy(rng.normal(size=(SETTINGS.batch, 6)).astype(np.float32))
        return {"sum": ((model(x)[:, 0] - x.sum(1)) ** 2).mean()}

    return objective


def weights(model: nn.Module) -> list[list[float]]:
    return [x.flatten().tolist() for x in model.state_dict().values()]


def uninterrupted(settings: Settings = SETTINGS) -> nn.Module:
    model = net()
    optimise(model, task(model), settings)
    return model


def test_it_learns_and_the_same_seed_gives_the_same() -> None:
    one, two, other = uninterrupted(), uninterrupted(), uninterrupted(SETTINGS.model_copy(update={"seed": 1}))
    x = torch.randn(500, 6)
    assert ((one(x)[:, 0] - x.sum(1)) ** 2).mean() < 0.8 * ((net().eval()(x)[:, 0] - x.sum(1)) ** 2).mean()
    assert weights(one) == weights(two) != weights(other)
    assert not one.training


@pytest.mark.timeout(300)
def test_a_killed_run_loses_one_epoch_at_most_and_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        limit = time.monotonic() + 90
        while not (tmp_path / STATE).exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.02)
        process.kill()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    reached = torch.load(tmp_path / STATE, weights_only=True)["step"]
    assert 5 <= reached < 30 and reached % 5 == 0
    subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=True, timeout=90)
    expected = uninterrupted().state_dict()
    for name, found in torch.load(tmp_path / "done.pt", weights_only=True).items():
        torch.testing.assert_close(found, expected[name], rtol=0, atol=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_keeps_the_step_at_hand_and_goes_on_from_there(tmp_path: Path, number: signal.Signals) -> None:
    model = net()
    before = signal.getsignal(number)
    ask = task(model, lambda step: signal.raise_signal(number) if step == 7 else None)
    with pytest.raises(Stopped, match="7 of 30"):
        optimise(model, ask, SETTINGS, tmp_path)
    assert signal.getsignal(number) is before
    made: list[int] = []
    model = net()
    found = optimise(model, task(model, made.append), SETTINGS, tmp_path)
    assert (len(made), found.steps) == (23, 30)
    assert weights(model) == weights(uninterrupted())


def test_a_state_of_other_settings_or_data_is_refused(tmp_path: Path) -> None:
    model = net()
    optimise(model, task(model), SETTINGS, tmp_path, digest="these clips")
    with pytest.raises(TrainingError, match="other settings"):
        optimise(net(), task(model), SETTINGS.model_copy(update={"rate": 1e-3}), tmp_path, digest="these clips")
    with pytest.raises(TrainingError, match="or data"):
        optimise(net(), task(model), SETTINGS, tmp_path, digest="other clips")


def test_it_stops_when_scores_no_longer_rise_and_keeps_the_best(tmp_path: Path) -> None:
    scores = iter([0.1, 0.5, 0.4, 0.45, 0.3, 0.9])
    seen: dict[int, list[list[float]]] = {}

    def score(step: int, mean: nn.Module) -> float:
        seen[step] = weights(mean)
        return next(scores)

    model = net()
    found = optimise(model, task(model), SETTINGS.model_copy(update={"patience": 2}), tmp_path, score)
    assert (found.steps, found.best, found.best_step) == (20, 0.5, 10)
    assert weights(model) == seen[10]


def test_early_stopping_survives_an_interruption(tmp_path: Path) -> None:
    """Best weights and patience are part of the state."""
    settings = SETTINGS.model_copy(update={"patience": 2})

    def score(step: int, mean: nn.Module) -> float:
        return {5: 0.2, 10: 0.6, 15: 0.5, 20: 0.4}[step]

    model = net()
    ask = task(model, lambda step: signal.raise_signal(signal.SIGINT) if step == 17 else None)
    with pytest.raises(Stopped):
        optimise(model, ask, settings, tmp_path, score)
    found = optimise(again := net(), task(again), settings, tmp_path, score)
    assert (found.steps, found.best, found.best_step) == (20, 0.6, 10)


def test_the_log_holds_losses_and_scores(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = net()
    optimise(model, task(model), SETTINGS, tmp_path, lambda step, _: step / 100)
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [e.step for e in events.Scalars("loss/sum")] == [10, 20, 30]
    assert [round(e.value, 2) for e in events.Scalars("score")] == [0.05, 0.1, 0.15, 0.2, 0.25, 0.3]


def test_the_rate_rises_then_falls(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = SETTINGS.model_copy(update={"steps": 100, "warmup": 0.3})
    model = net()
    optimise(model, task(model), settings, tmp_path)
    found = {e.step: e.value for e in EventAccumulator(str(tmp_path / "tensorboard")).Reload().Scalars("rate")}
    assert found[10] < found[20] and found[40] > found[60] > found[100] > 0
    assert max(found.values()) <= settings.rate


class Stack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(2))
        self.layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        self.head = nn.Linear(2, 1)


def test_lower_layers_learn_slower_and_new_parts_faster() -> None:
    model = Stack()
    found = {id(p): g["lr"] for g in rates(model, Settings(rate=1.0, layer_decay=0.5, fresh=10.0)) for p in g["params"]}
    assert [found[id(layer.weight)] for layer in (model.layers[0], model.layers[1], model.layers[2])] == [0.25, 0.5, 1]
    assert found[id(model.positions)] == 0.125
    assert found[id(model.head.weight)] == 10.0


def test_what_is_frozen_has_no_rate() -> None:
    model = Stack()
    model.head.weight.requires_grad_(False)
    assert id(model.head.weight) not in {id(p) for g in rates(model, Settings()) for p in g["params"]}

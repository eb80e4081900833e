"""The optimisation loop: AdamW, warm-up, moving average, early stopping; killed at any time it goes on where it was.

A run that was stopped and resumed ends with the very weights of one that was not: its state holds the random numbers
too. Ctrl-C and SIGTERM end it after the step at hand, with its state on disk; a second one ends it at once.
"""

import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from streamwatch.training.run_state import read_state, write_state
from streamwatch.training.settings import Settings

__all__ = ["STATE", "Objective", "Outcome", "Score", "Stopped", "optimise", "rates"]

STATE = "state.pt"
FLOOR = 0.02  # the rate ends at this share of its peak
KEPT = ("model", "mean", "optimiser", "schedule")
Objective = Callable[[np.random.Generator], Mapping[str, Tensor]]
"""One batch drawn and its losses by name; their sum is what falls."""
Score = Callable[[int, nn.Module], float | None]
"""(step, moving average) → how good it is, higher is better; None: only looked at."""


class Stopped(KeyboardInterrupt):
    """Someone asked the run to end; its state is on disk."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``steps`` made in all; ``best`` score and the step it was reached at, if there were scores."""

    steps: int
    best: float | None = None
    best_step: int = 0


class _Log(Protocol):
    def add_scalar(self, tag: str, value: float, step: int) -> None: ...
    def close(self) -> None: ...


def rates(model: nn.Module, settings: Settings) -> list[dict[str, Any]]:
    """Parameter groups: ``layers.k`` at the rate times decay^(layers above it), positions and types below all of them,
    all else ``fresh`` times as fast. Adapters are new."""
    found: dict[float, list[nn.Parameter]] = {}
    names = [name for name, _ in model.named_parameters()]
    depth = 1 + max((int(m.group(1)) for name in names if (m := _layer(name))), default=-1)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        layer, low = _layer(name), name.rpartition(".")[2] in ("positions", "types")
        if "lora_" in name or not (layer or low):
            rate = settings.rate * settings.fresh
        else:
            below = depth - 1 - int(layer.group(1)) if layer else depth
            rate = settings.rate * settings.layer_decay**below
        found.setdefault(rate, []).append(parameter)
    return [{"params": parameters, "lr": rate} for rate, parameters in found.items()]


def _layer(name: str) -> re.Match[str] | None:
    return re.search(r"(?:^|\.)layers\.(\d+)\.", name)


class _Run:
    """What changes from step to step."""

    def __init__(self, model: nn.Module, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.model, self.settings = model, settings
        self.rng = np.random.default_rng(settings.seed)
        groups = rates(model, settings)
        self.trained = [p for group in groups for p in group["params"]]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
        warm, total = max(1, round(settings.steps * settings.warmup)), settings.steps
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda s: min(1.0, (s + 1) / warm) * max(FLOOR, 1.0 - s / total)
        )
        self.mean = deepcopy(model)
        self.step, self.best, self.best_step, self.waited = 0, -float("inf"), 0, 0
        self.best_weights: dict[str, Tensor] | None = None

    def make_step(self, objective: Objective) -> dict[str, float]:
        """One batch; → the losses by name, and ``loss``, their sum."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.half):
            parts = objective(self.rng)
            loss = torch.stack([part.float() for part in parts.values()]).sum()
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.trained, self.settings.clip)
        self.optimiser.step()
        self.schedule.step()
        self._follow()
        self.step += 1
        return {**{name: float(part.detach()) for name, part in parts.items()}, "loss": float(loss.detach())}

    def _follow(self) -> None:
        with torch.no_grad():
            for slow, fast in zip(self.mean.parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, 1 - self.settings.ema)

    def judge(self, score: Score) -> float | None:
        """The score of the moving average; the best one's weights are kept."""
        found = score(self.step, self.mean.eval())
        self.model.train()
        if found is not None and found > self.best:
            self.best, self.best_step, self.waited = found, self.step, 0
            self.best_weights = {name: x.clone() for name, x in self.mean.state_dict().items()}
        elif found is not None:
            self.waited += 1
        return found

    def over(self) -> bool:
        waited_enough = 0 < self.settings.patience <= self.waited
        return self.step >= self.settings.steps or waited_enough

    def state(self) -> dict[str, Any]:
        found = {name: getattr(self, name).state_dict() for name in KEPT}
        counters = {"step": self.step, "best": self.best, "best_step": self.best_step, "waited": self.waited}
        return {**found, **counters, "best_weights": self.best_weights, "rng": self.rng.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        for name in KEPT:
            getattr(self, name).load_state_dict(state[name])
        self.step, self.best = state["step"], state["best"]
        self.best_step, self.waited, self.best_weights = state["best_step"], state["waited"], state["best_weights"]
        self.rng.bit_generator.state = state["rng"]

    def finish(self) -> Outcome:
        chosen = self.best_weights if self.settings.patience and self.best_weights else self.mean.state_dict()
        self.model.load_state_dict(chosen)
        self.model.eval()
        scored = self.best_weights is not None
        return Outcome(self.step, self.best if scored else None, self.best_step)


def optimise(
    model: nn.Module,
    objective: Objective,
    settings: Settings,
    folder: Path | None = None,
    score: Score | None = None,
    digest: str = "",
) -> Outcome:
    """Train ``model`` in place; it is left with the moving average of its weights, or with the best one if
    ``settings.patience`` lets scores decide.

    With ``folder`` the state is kept there once an epoch and TensorBoard's log beside it; a state that is there is
    gone on from. ``digest`` stands for the data: a state of other data or settings raises TrainingError.
    Raises Stopped after Ctrl-C or SIGTERM.
    """
    run = _Run(model, settings)
    key = f"{settings.model_dump_json()} {digest}"
    state = folder / STATE if folder is not None else None
    if state is not None and state.exists():
        run.restore(read_state(state, key))
    log = _log(folder, run.step)
    model.train()
    try:
        with _asked_to_stop() as asked:
            for _ in tqdm(range(run.step, settings.steps), initial=run.step, total=settings.steps, mininterval=5):
                if run.over():
                    break
                _note(log, run.make_step(objective), run)
                ended = run.step % settings.epoch == 0 or run.step == settings.steps
                if ended and score is not None:
                    _note_score(log, run.judge(score), run.step)
                if state is not None and (ended or asked.is_set()):
                    write_state(state, run.state(), key)
                if asked.is_set():
                    raise Stopped(f"stopped after {run.step} of {settings.steps} steps")
    finally:
        if log is not None:
            log.close()
    return run.finish()


def _log(folder: Path | None, step: int) -> _Log | None:
    if folder is None:
        return None
    from torch.utils.tensorboard import SummaryWriter

    writer: _Log = SummaryWriter(str(folder / "tensorboard"), purge_step=step)
    return writer


def _note(log: _Log | None, losses: Mapping[str, float], run: _Run) -> None:
    if log is not None and (run.step % 10 == 0 or run.step == run.settings.steps):
        for name, value in losses.items():
            log.add_scalar(f"loss/{name}" if name != "loss" else name, value, run.step)
        log.add_scalar("rate", float(run.schedule.get_last_lr()[0]), run.step)


def _note_score(log: _Log | None, found: float | None, step: int) -> None:
    if log is not None and found is not None:
        log.add_scalar("score", found, step)


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Set by the first SIGINT or SIGTERM, which then mean again what they meant before."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _frame: FrameType | None) -> None:
        asked.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

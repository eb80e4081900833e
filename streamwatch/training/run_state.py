"""The state of a run on disk: whole or not there, whatever kills the process."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streamwatch.errors import TrainingError
from streamwatch.training.disk import naming

__all__ = ["once", "read_state", "read_whole", "write_atomically", "write_state"]


def write_atomically(path: Path, document: Mapping[str, Any]) -> None:
    """``torch.save`` beside ``path``, synced, then in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with naming(part), part.open("wb") as file:
        torch.save(dict(document), file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_whole(path: Path) -> dict[str, Any]:
    """What :func:`write_atomically` wrote; no code in it is run. Raises FileNotFoundError and TrainingError."""
    if path.exists() and not zipfile.is_zipfile(path):
        raise TrainingError(f"{path}: not a file that training left, or half of one; remove it")
    try:
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        raise TrainingError(f"{path}: not a file that training left: {error}") from error
    return found


def write_state(path: Path, state: Mapping[str, Any], key: str) -> None:
    """``state`` with torch's random numbers, those of GPUs too; ``key`` says of which run it is. ``rng`` is numpy's,
    128-bit integers."""
    drawn = {"torch_rng": torch.get_rng_state(), "gpu_rng": _of_gpus()}
    write_atomically(path, {**state, **drawn, "rng": json.dumps(state["rng"]), "key": _short(key)})


def read_state(path: Path, key: str) -> dict[str, Any]:
    """What :func:`write_state` wrote, torch's random numbers put back. Raises TrainingError."""
    state = read_whole(path)
    if state.get("key") != _short(key):
        raise TrainingError(f"{path}: of a run with other settings or data; remove it, or take another --work")
    torch.set_rng_state(state.pop("torch_rng"))
    kept = state.pop("gpu_rng", [])  # of before they were kept: none
    if kept and len(kept) == torch.cuda.device_count():  # elsewhere their numbers are drawn anew
        torch.cuda.set_rng_state_all(kept)
    return {**state, "rng": json.loads(state["rng"])}


def once(
    path: Path | None, key: str, rng: np.random.Generator, parts: Mapping[str, Tensor], make: Callable[[], None]
) -> None:
    """``make()``, which draws from ``rng`` and fills ``parts``; or what it made before, if a run of the same ``key``
    left that at ``path``. What is there of another run is made anew."""
    found = _of_same(path, key) if path is not None and path.exists() else None
    if found is None:
        make()
        if path is not None:
            kept = {name: part.detach().cpu() for name, part in parts.items()}
            write_state(path, {"rng": rng.bit_generator.state, "parts": kept}, key)
        return
    with torch.no_grad():
        for name, part in parts.items():
            part.copy_(found["parts"][name])
    rng.bit_generator.state = found["rng"]


def _of_same(path: Path, key: str) -> dict[str, Any] | None:
    try:
        return read_state(path, key)
    except TrainingError:
        return None


def _of_gpus() -> list[Tensor]:
    return list(torch.cuda.get_rng_state_all()) if torch.cuda.is_available() else []


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()

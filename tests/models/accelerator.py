"""An accelerator for tests: ONNX Runtime's real CPU sessions and bindings, under the name of another provider."""

import threading
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

from streamwatch.models import onnx, session
from streamwatch.models.provider import CPU

__all__ = ["Accelerator", "cpu_session", "install"]

BUILD = ["TensorrtExecutionProvider", "CUDAExecutionProvider", CPU]


def cpu_session(graph: bytes, options: Any = None) -> Any:
    """What the CPU runs."""
    return ort.InferenceSession(graph, options, providers=[CPU])


class _Session:
    """Runs on the CPU and says otherwise. ``batches``, ``graphs`` and ``threads``: what each bound run was, its
    graph's id, and the thread that ran it."""

    def __init__(self, real: Any, listed: Sequence[str], nodes: Counter[str]) -> None:
        self._real = real
        self._listed = list(listed)
        self._nodes = nodes
        self.batches: list[int] = []
        self.graphs: list[str | None] = []
        self.threads: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_providers(self) -> list[str]:
        return self._listed

    def get_provider_graph_assignment_info(self) -> list[Any]:
        return [SimpleNamespace(ep_name=name, get_nodes=lambda n=n: [None] * n) for name, n in self._nodes.items()]

    def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
        self.threads.append(threading.current_thread().name)
        self.graphs.append(None if options is None else options.get_run_config_entry("gpu_graph_id"))
        self._real.run_with_iobinding(binding, options)
        self.batches.append(len(binding.copy_outputs_to_cpu()[0]))


class Accelerator:
    """``works``: providers whose libraries are there; ``broken``: that raise when a session opens; ``lacking``: files
    with operators that it cannot run, so that it records no graph of them either. ``opened``: the providers, their
    options and each file.
    """

    def __init__(self, works: Sequence[str], broken: Sequence[str] = (), lacking: Sequence[bytes] = ()) -> None:
        self._works, self._broken, self._lacking = set(works), set(broken), list(lacking)
        self.opened: list[tuple[list[str], dict[str, dict[str, str]], bytes]] = []
        self.sessions: list[_Session] = []

    def create(self, graph: bytes, options: Any, providers: Sequence[tuple[str, dict[str, str]]]) -> Any:
        """In place of ONNX Runtime's."""
        names = [name for name, _ in providers]
        self.opened.append((names, dict(providers), graph))
        if names[0] in self._broken:
            raise Fail(f"{names[0]}: driver too old")
        if graph in self._lacking and dict(providers).get("CUDAExecutionProvider", {}).get("enable_cuda_graph") == "1":
            raise Fail("This session cannot use the graph capture feature as requested by the user")
        listed = [name for name in names if name in self._works or name == CPU]
        if _entry(options, "session.disable_cpu_ep_fallback") == "1":
            if graph in self._lacking or not listed:
                raise Fail("This session contains graph nodes that are assigned to the default CPU EP")
            return None
        found = _Session(cpu_session(graph, options), listed, Counter({listed[0]: 9, CPU: 3}))
        self.sessions.append(found)
        return found


def _entry(options: Any, key: str) -> str:
    try:
        return str(options.get_session_config_entry(key))
    except RuntimeError:
        return ""


def install(monkeypatch: pytest.MonkeyPatch, accelerator: Accelerator) -> Accelerator:
    """Put it into this machine for one test."""
    monkeypatch.setattr(session, "create", accelerator.create)
    monkeypatch.setattr(session, "gpu_present", lambda: True)
    monkeypatch.setattr(ort, "preload_dlls", lambda: None)
    monkeypatch.setattr(ort, "get_available_providers", lambda: BUILD)
    monkeypatch.setattr(onnx, "DEVICE", "cpu")
    return accelerator


def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Pictures that are all different."""
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

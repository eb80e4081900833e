"""ONNX Runtime's sessions: opened on the provider asked for, with proof of what runs. The wall where its errors end."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from streamwatch.errors import InferenceError, PackError, ProviderError
from streamwatch.models.bucket import BUCKETS
from streamwatch.models.pack import Pack
from streamwatch.models.precision import fast_int8, graph_file
from streamwatch.models.provider import (
    CPU,
    LABELS,
    Gpu,
    Ranges,
    check_provider,
    gpu_present,
    preference,
    provider_options,
    running,
)

__all__ = ["Asked", "Opened", "create", "open_graph", "translated"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the configuration asks for: auto | cpu | cuda | tensorrt; ``strict``: that or nothing."""

    provider: str = "auto"
    strict: bool = False
    gpu: Gpu = field(default_factory=Gpu)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session, the ``file`` of the pack that it runs, and the ``provider`` (cpu, cuda, tensorrt) that runs it;
    ``cuda_graph``: whether it records its kernels."""

    session: Any
    file: str
    provider: str
    cuda_graph: bool = False


def create(graph: bytes, options: Any, providers: Sequence[tuple[str, dict[str, str]]]) -> Any:
    """ONNX Runtime's session. On a GPU ``run`` must fail rather than go on with another provider."""
    import onnxruntime as ort  # 0.2 s: not before a model is really needed

    session = ort.InferenceSession(graph, sess_options=options, providers=list(providers))
    session.disable_fallback()
    return session


def open_graph(pack: Pack, stem: str, asked: Asked, ranges: Ranges) -> Opened:
    """Graph ``stem`` of ``pack`` on the provider ``asked`` for; where that does not work, on the next one with the
    file that suits it. Raises PackError; ProviderError if it has to be that one and is not.
    """
    import onnxruntime as ort

    if asked.provider != "cpu" and hasattr(ort, "preload_dlls") and gpu_present():
        ort.preload_dlls()  # before the first session: CUDA and cuDNN from pip's packages
    names = preference(asked.provider, ort.get_available_providers(), gpu_present())
    if asked.gpu.cache is not None and "TensorrtExecutionProvider" in names:
        asked.gpu.cache.mkdir(parents=True, exist_ok=True)
    opened = _first(pack, stem, names, asked, ranges)
    check_provider(asked.provider, _name(opened.provider), asked.strict)
    if opened.provider != LABELS[names[0]] or asked.provider not in ("auto", opened.provider):
        log.warning("provider: %s was asked for, but %s runs on %s", asked.provider, opened.file, opened.provider)
    elif opened.provider != "cpu":
        log.info("%s runs on %s", opened.file, opened.provider)
    if asked.strict and opened.provider != "cpu":
        _prove(pack, opened, asked.gpu, ranges)
    return opened


def _first(pack: Pack, stem: str, names: Sequence[str], asked: Asked, ranges: Ranges) -> Opened:
    """On the first of the providers ``names`` that takes the graph: each of them may fail in its own way, or be there
    in name only."""
    for k in range(len(names) - 1):
        for gpu in _ways(names[k], asked.gpu):
            try:
                opened = _open(pack, stem, names[k:], gpu, ranges)
            except PackError as error:
                log.warning("%s%s: %s", LABELS[names[k]], " with cuda_graph" if gpu.cuda_graph else "", error)
                continue
            if opened.provider != "cpu":
                return opened
    return _open(pack, stem, names[-1:], asked.gpu, ranges)


def _ways(name: str, gpu: Gpu) -> tuple[Gpu, ...]:
    """CUDA records a graph only if it runs all of it; what it cannot record it can still run."""
    if name == "CUDAExecutionProvider" and gpu.cuda_graph:
        return gpu, replace(gpu, cuda_graph=False)
    return (replace(gpu, cuda_graph=False),)


def _open(pack: Pack, stem: str, names: Sequence[str], gpu: Gpu, ranges: Ranges) -> Opened:
    file = graph_file(stem, LABELS[names[0]], fast_int8(), pack.card.files)
    options = _options()
    if names[0] != CPU:
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = _created(pack, file, options, names, gpu, ranges)
    chosen = session.get_providers()
    label = _label(running(chosen, _nodes(session) if chosen[0] != CPU else {}))
    return Opened(session, file, label, gpu.cuda_graph and label == "cuda")


def _prove(pack: Pack, opened: Opened, gpu: Gpu, ranges: Ranges) -> None:
    """Raises ProviderError if any operator of the graph has no kernel on the GPU.

    ONNX Runtime computes the shapes of a symbolic batch on the CPU, on purpose; so the proof is a graph whose batch is
    fixed, in which there are none left to compute, and which may not use the CPU. It must not be listed, either.
    """
    options = _options()
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    for axis in ("batch", "length"):
        options.add_free_dimension_override_by_name(axis, 1)
    try:
        _created(pack, opened.file, options, ("CUDAExecutionProvider",), gpu, ranges)
    except PackError as error:
        raise ProviderError(
            f"provider: {opened.provider} cannot run all of {opened.file}: {error}; export the pack with "
            f"--precision both, or set strict_provider: false"
        ) from error


def _created(pack: Pack, file: str, options: Any, names: Sequence[str], gpu: Gpu, ranges: Ranges) -> Any:
    providers = [(name, provider_options(name, gpu, ranges, BUCKETS[-1])) for name in names]
    graph = pack.read(file)
    with translated(PackError, f"{pack.path / file}: ONNX Runtime refuses it: "):
        return create(graph, options, providers)


def _options() -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # the cameras are the parallelism
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # what matters (the provider) is checked by us
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _nodes(session: Any) -> Counter[str]:
    """Nodes of the graph that each provider was given; empty where ONNX Runtime is too old to tell."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return Counter()
    found: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        found[part.ep_name] += len(part.get_nodes())
    return found


def _label(name: str) -> str:
    return LABELS.get(name, name)


def _name(label: str) -> str:
    return next((name for name, known in LABELS.items() if known == label), label)


@contextmanager
def translated(kind: type[PackError] | type[InferenceError], before: str = "") -> Iterator[None]:
    """ONNX Runtime's errors as ``kind``: their first line, after ``before``."""
    try:
        yield
    except _ort_errors() as error:
        raise kind(f"{before}{_first_line(error)}") from error


def _ort_errors() -> tuple[type[Exception], ...]:
    """ONNX Runtime's exceptions derive from Exception directly; RuntimeError and ValueError come from its bindings."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented",
             "RuntimeException", "EPFail", "ModelLoadCanceled", "NoModel", "EngineError")  # fmt: skip
    return (RuntimeError, ValueError, *(getattr(state, name) for name in names if hasattr(state, name)))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]

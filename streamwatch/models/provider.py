"""Which ONNX Runtime execution provider runs the model, and proof that it does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamwatch.errors import ProviderError

__all__ = [
    "CPU",
    "ENGINES",
    "LABELS",
    "PROVIDERS",
    "Gpu",
    "Ranges",
    "check_provider",
    "gpu_present",
    "preference",
    "provider_options",
    "running",
]

CPU = "CPUExecutionProvider"
ENGINES = "tensorrt"  # the folder in that of the data where TensorRT keeps them
PROVIDERS = {
    "cpu": (CPU,),
    "cuda": ("CUDAExecutionProvider", CPU),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", CPU),
}
LABELS = {names[0]: label for label, names in PROVIDERS.items()}

_GPU_DEVICES = (Path("/dev/nvidiactl"), Path("/dev/dxg"))  # native Linux, WSL 2

Ranges = Mapping[str, Sequence[int]]
"""Input → its shape without the batch; TensorRT builds one engine for all batches in the range."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """How a GPU is used; a CPU takes no notice.

    ``cache``: the folder for TensorRT's engines, which take minutes to build. ``cuda_graph`` (provider cuda):
    the kernels of a batch are launched as one recorded graph. ``grid``: whether grids come back to the host, which
    only zones read; without it they are [B, D, 0, 0].
    """

    cache: Path | None = None
    cuda_graph: bool = False
    grid: bool = True


def gpu_present() -> bool:
    """Whether the kernel shows an NVIDIA GPU: onnxruntime-gpu lists CUDA as available even where there is none."""
    return any(device.exists() for device in _GPU_DEVICES)


def preference(asked: str, available: list[str], gpu: bool) -> tuple[str, ...]:
    """The provider list to create a session with, for ``asked`` auto | cpu | cuda | tensorrt. Raises ProviderError."""
    if asked not in ("auto", *PROVIDERS):
        raise ProviderError(f"provider: {asked} is none of {', '.join(('auto', *PROVIDERS))}")
    if asked == "auto":
        asked = "cuda" if gpu and "CUDAExecutionProvider" in available else "cpu"
    return tuple(name for name in PROVIDERS[asked] if name in available) or PROVIDERS["cpu"]


def provider_options(name: str, gpu: Gpu, ranges: Ranges, largest: int) -> dict[str, str]:
    """ONNX Runtime's options for provider ``name`` and batches of 1 to ``largest``.

    CUDA: convolutions are chosen by cuDNN's heuristics, not by timing them, so that each start takes the same ones and
    gives the same scores; the arena grows by what is asked for, as the sizes are few and known. TensorRT: half
    precision, engines and timings kept in ``gpu.cache``.
    """
    if name == "CUDAExecutionProvider":
        options = {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}
        return options | ({"enable_cuda_graph": "1"} if gpu.cuda_graph else {})
    if name == "TensorrtExecutionProvider":
        options = {"trt_fp16_enable": "1"}
        for bound, batch in (("min", 1), ("opt", max(1, largest // 4)), ("max", largest)):
            shapes = [f"{key}:{'x'.join(map(str, (batch, *shape)))}" for key, shape in ranges.items()]
            options[f"trt_profile_{bound}_shapes"] = ",".join(shapes)
        for kind in ("engine", "timing") if gpu.cache else ():
            options |= {f"trt_{kind}_cache_enable": "1", f"trt_{kind}_cache_path": str(gpu.cache)}
        return options
    return {}


def running(providers: Sequence[str], nodes: Mapping[str, int]) -> str:
    """The provider that really runs a session: the first of its ``providers`` that was given any of its ``nodes``
    (provider → count), or simply the first where ONNX Runtime does not tell.
    """
    return next((name for name in providers if nodes.get(name)), providers[0])


def check_provider(asked: str, running: str, strict: bool) -> str:
    """The short name of the ``running`` provider. Raises ProviderError if ``strict`` and it is not the one asked for.

    onnxruntime-gpu falls back to the CPU without an error, also when only CUDA was asked for.
    """
    label = LABELS.get(running, running)
    if strict and asked not in ("auto", label):
        raise ProviderError(
            f"provider: {asked} was asked for, but the model runs on {label}; install its driver and libraries, "
            f"or set provider: {label}, or strict_provider: false"
        )
    return label

"""Which ONNX Runtime execution provider runs the model, and proof that it does."""

from pathlib import Path

from streamwatch.errors import ProviderError

__all__ = ["LABELS", "PROVIDERS", "check_provider", "gpu_present", "preference"]

PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}
LABELS = {names[0]: label for label, names in PROVIDERS.items()}

_GPU_DEVICES = (Path("/dev/nvidiactl"), Path("/dev/dxg"))  # native Linux, WSL 2


def gpu_present() -> bool:
    """Whether the kernel shows an NVIDIA GPU: onnxruntime-gpu lists CUDA as available even where there is none."""
    return any(device.exists() for device in _GPU_DEVICES)


def preference(asked: str, available: list[str], gpu: bool) -> tuple[str, ...]:
    """The provider list to create a session with, for ``asked`` auto | cpu | cuda | tensorrt."""
    if asked == "auto":
        asked = "cuda" if gpu and "CUDAExecutionProvider" in available else "cpu"
    return tuple(name for name in PROVIDERS[asked] if name in available) or PROVIDERS["cpu"]


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

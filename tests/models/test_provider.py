"""The provider asked for, and the one that runs."""

import pytest

from streamwatch.errors import ProviderError
from streamwatch.models.provider import check_provider, preference

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
GPU_BUILD = [TENSORRT, CUDA, CPU]


@pytest.mark.parametrize(
    ("asked", "available", "gpu", "wanted"),
    [
        ("auto", GPU_BUILD, True, (CUDA, CPU)),
        ("auto", GPU_BUILD, False, (CPU,)),  # the GPU build lists CUDA on machines without one
        ("auto", [CPU], True, (CPU,)),
        ("cpu", GPU_BUILD, True, (CPU,)),
        ("cuda", GPU_BUILD, False, (CUDA, CPU)),
        ("tensorrt", GPU_BUILD, True, (TENSORRT, CUDA, CPU)),
        ("cuda", [CPU], True, (CPU,)),
    ],
)
def test_preference(asked: str, available: list[str], gpu: bool, wanted: tuple[str, ...]) -> None:
    assert preference(asked, available, gpu) == wanted


def test_tells_what_runs() -> None:
    assert check_provider("auto", CPU, strict=True) == "cpu"
    assert check_provider("cuda", CUDA, strict=True) == "cuda"
    assert check_provider("cuda", CPU, strict=False) == "cpu"


def test_strict_refuses_a_silent_fall_back() -> None:
    with pytest.raises(ProviderError, match="cuda was asked for, but the model runs on cpu"):
        check_provider("cuda", CPU, strict=True)

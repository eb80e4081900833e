"""The provider asked for, and the one that runs."""

from pathlib import Path

import pytest

from streamwatch.errors import ProviderError
from streamwatch.models.provider import Gpu, check_provider, preference, provider_options, running

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


def test_what_is_no_provider_is_refused() -> None:
    with pytest.raises(ProviderError, match="foo is none of auto, cpu, cuda, tensorrt"):
        preference("foo", GPU_BUILD, True)


def test_tells_what_runs() -> None:
    assert check_provider("auto", CPU, strict=True) == "cpu"
    assert check_provider("cuda", CUDA, strict=True) == "cuda"
    assert check_provider("cuda", CPU, strict=False) == "cpu"


def test_strict_refuses_a_silent_fall_back() -> None:
    with pytest.raises(ProviderError, match="cuda was asked for, but the model runs on cpu"):
        check_provider("cuda", CPU, strict=True)


SHAPES = {"visual": (16, 384), "age": (16,)}


def test_cuda_takes_the_same_kernels_at_each_start_and_records_only_if_asked() -> None:
    options = provider_options(CUDA, Gpu(), SHAPES, 32)
    assert options == {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}
    assert provider_options(CUDA, Gpu(cuda_graph=True), SHAPES, 32) == options | {"enable_cuda_graph": "1"}


def test_tensorrt_builds_one_engine_for_all_batches_and_keeps_it(tmp_path: Path) -> None:
    options = provider_options(TENSORRT, Gpu(tmp_path), SHAPES, 32)
    assert options == {
        "trt_fp16_enable": "1",
        "trt_profile_min_shapes": "visual:1x16x384,age:1x16",
        "trt_profile_opt_shapes": "visual:8x16x384,age:8x16",
        "trt_profile_max_shapes": "visual:32x16x384,age:32x16",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(tmp_path),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(tmp_path),
    }


def test_without_a_folder_engines_are_not_kept() -> None:
    assert not [name for name in provider_options(TENSORRT, Gpu(), SHAPES, 32) if "cache" in name]


def test_a_cpu_has_no_options() -> None:
    assert provider_options(CPU, Gpu(cuda_graph=True), SHAPES, 32) == {}


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ({CUDA: 400, CPU: 12}, CUDA),
        ({CPU: 412}, CPU),  # CUDA is listed, and was given nothing
        ({TENSORRT: 3, CUDA: 9}, TENSORRT),
        ({}, TENSORRT),  # an ONNX Runtime that does not tell
    ],
)
def test_who_was_given_the_nodes_runs_the_model(nodes: dict[str, int], found: str) -> None:
    assert running([TENSORRT, CUDA, CPU], nodes) == found

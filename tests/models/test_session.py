"""Sessions on providers that work, that are there in name only, and that fail; on machines without a GPU."""

import hashlib
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from streamwatch.errors import PackError, ProviderError
from streamwatch.models.bucket import BUCKETS
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import CARD, Pack, load_pack
from streamwatch.models.provider import CPU, Gpu
from tests.models.accelerator import Accelerator, install, noise

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The bundled pack with files for a GPU beside its own: other bytes, the same graphs."""
    path = Path(shutil.copytree(load_pack("bundled").path, tmp_path_factory.mktemp("packs") / "both"))
    card = json.loads((path / CARD).read_text())
    for stem in ("clip_encoder", "joint"):
        graph = (path / f"{stem}.onnx").read_bytes() + b"\x32\x04half"  # protobuf: the note for people, once more
        (path / f"{stem}.fp16.onnx").write_bytes(graph)
        card["files"][f"{stem}.fp16.onnx"] = hashlib.sha256(graph).hexdigest()
    (path / CARD).write_text(json.dumps(card))
    return load_pack(str(path))


def files(pack: Pack, accelerator: Accelerator) -> list[str]:
    """The files that were opened, in order."""
    names = {pack.read(name): name for name in pack.card.files if name.endswith(".onnx")}
    return [names[graph] for _, _, graph in accelerator.opened]


def test_a_gpu_runs_the_files_that_were_made_for_it(monkeypatch: Patch, both: Pack) -> None:
    gpu = install(monkeypatch, Accelerator([CUDA]))
    model = OnnxModel(both, "cuda")
    assert (model.provider, model.max_batch) == ("cuda", BUCKETS[-1])
    assert files(both, gpu) == ["clip_encoder.fp16.onnx", "joint.fp16.onnx"]


def test_auto_takes_a_gpu_that_works(monkeypatch: Patch, both: Pack) -> None:
    install(monkeypatch, Accelerator([CUDA]))
    assert OnnxModel(both).provider == "cuda"


@pytest.mark.parametrize("broken", [False, True])
def test_a_gpu_in_name_only_leaves_the_cpu_with_its_own_files(
    monkeypatch: Patch, both: Pack, caplog: pytest.LogCaptureFixture, broken: bool
) -> None:
    gpu = install(monkeypatch, Accelerator([], [CUDA] if broken else []))
    with caplog.at_level(logging.WARNING):
        model = OnnxModel(both, "cuda")
    assert (model.provider, model.max_batch) == ("cpu", 4)
    assert files(both, gpu)[1::2] == ["clip_encoder.onnx", "joint.onnx"]
    assert [names for names, _, _ in gpu.opened][1::2] == [[CPU], [CPU]]
    assert "cuda was asked for, but clip_encoder.onnx runs on cpu" in caplog.text
    assert ("driver too old" in caplog.text) is broken


@pytest.mark.parametrize("broken", [False, True])
def test_strict_refuses_it(monkeypatch: Patch, both: Pack, broken: bool) -> None:
    install(monkeypatch, Accelerator([], [CUDA] if broken else []))
    with pytest.raises(ProviderError, match="cuda was asked for, but the model runs on cpu"):
        OnnxModel(both, "cuda", strict=True)


def test_where_tensorrt_fails_cuda_comes_before_the_cpu(monkeypatch: Patch, both: Pack) -> None:
    gpu = install(monkeypatch, Accelerator([CUDA], broken=[TENSORRT]))
    assert OnnxModel(both, "tensorrt").provider == "cuda"
    assert [names for names, _, _ in gpu.opened][:2] == [[TENSORRT, CUDA, CPU], [CUDA, CPU]]


def test_tensorrt_keeps_its_engines_in_the_folder_that_it_is_given(
    monkeypatch: Patch, both: Pack, tmp_path: Path
) -> None:
    gpu = install(monkeypatch, Accelerator([TENSORRT, CUDA]))
    assert OnnxModel(both, "tensorrt", gpu=Gpu(tmp_path / "tensorrt")).provider == "tensorrt"
    assert (tmp_path / "tensorrt").is_dir()
    options = gpu.opened[0][1][TENSORRT]
    card = both.card
    assert options["trt_engine_cache_path"] == str(tmp_path / "tensorrt")
    assert options["trt_profile_max_shapes"] == f"frames:32x{card.frames}x{card.size}x{card.size}x3"


def test_strict_proves_that_no_operator_is_left_to_the_cpu(monkeypatch: Patch, both: Pack) -> None:
    install(monkeypatch, Accelerator([CUDA]))
    assert OnnxModel(both, "cuda", strict=True).provider == "cuda"
    install(monkeypatch, Accelerator([CUDA], lacking=[both.read("joint.fp16.onnx")]))
    with pytest.raises(ProviderError, match=r"cuda cannot run all of joint\.fp16\.onnx.*--precision both"):
        OnnxModel(both, "cuda", strict=True)


def test_the_proof_names_no_cpu(monkeypatch: Patch, both: Pack) -> None:
    """ONNX Runtime refuses a session that lists the CPU and forbids it."""
    gpu = install(monkeypatch, Accelerator([CUDA]))
    OnnxModel(both, "cuda", strict=True)
    assert [names for names, _, _ in gpu.opened] == [[CUDA, CPU], [CUDA], [CUDA, CPU], [CUDA]]


def test_every_bucket_is_warm_before_the_first_clip(monkeypatch: Patch, both: Pack) -> None:
    gpu = install(monkeypatch, Accelerator([CUDA]))
    beats: list[None] = []
    OnnxModel(both, "cuda", gpu=Gpu(cuda_graph=True)).warm_up(lambda: beats.append(None))
    assert len(beats) == 2 * len(BUCKETS)
    for session in gpu.sessions:
        assert session.batches == [2, *(size for size in reversed(BUCKETS) for _ in range(2))]
        assert session.graphs == [str(size) for size in session.batches]


def test_what_cannot_be_recorded_runs_unrecorded(
    monkeypatch: Patch, both: Pack, caplog: pytest.LogCaptureFixture
) -> None:
    """As on an H100, where a graph with an operator for the CPU was refused, and then ran on the CPU alone."""
    gpu = install(monkeypatch, Accelerator([CUDA], lacking=[both.read("clip_encoder.fp16.onnx")]))
    with caplog.at_level("WARNING"):
        assert OnnxModel(both, "cuda", gpu=Gpu(cuda_graph=True)).provider == "cuda"
    encoder, joint = gpu.sessions
    assert set(encoder.graphs) == {None}
    assert joint.graphs == [str(size) for size in joint.batches]
    assert "cuda with cuda_graph: " in caplog.text


def test_clips_and_windows_are_what_they_are_on_a_cpu(monkeypatch: Patch, both: Pack) -> None:
    card = both.card
    plain = OnnxModel(both, "cpu")
    install(monkeypatch, Accelerator([CUDA]))
    bound = OnnxModel(both, "cuda")
    frames = noise(3, card.frames, card.size, card.size, 3)
    for ours, theirs in zip(bound.encode(frames), plain.encode(frames), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    window = np.random.default_rng(1).normal(size=(1, card.window, card.dim)).astype(np.float32)
    visual = np.repeat(window, 3, axis=0)  # alike, as int8 takes its steps from all that is scored at once
    age = np.tile(np.arange(card.window - 1, -1, -1, dtype=np.float32), (3, 1))
    ones = np.ones_like(age)
    np.testing.assert_array_equal(bound.score(visual, age, ones), plain.score(visual, age, ones))


def test_a_grid_that_no_zone_reads_stays_where_it_is(monkeypatch: Patch, both: Pack) -> None:
    card = both.card
    install(monkeypatch, Accelerator([CUDA]))
    frames = noise(2, card.frames, card.size, card.size, 3)
    token, grid, motion = OnnxModel(both, "cuda", gpu=Gpu(grid=False)).encode(frames)
    assert (token.shape, grid.shape, motion.shape) == ((2, card.dim), (2, card.dim, 0, 0), (2, card.grid, card.grid))
    assert OnnxModel(both, "cpu", gpu=Gpu(grid=False)).encode(frames)[1].shape == (2, card.dim, card.grid, card.grid)


def test_a_pack_that_runs_nowhere_is_refused(monkeypatch: Patch, both: Pack) -> None:
    install(monkeypatch, Accelerator([], broken=[CUDA, CPU]))
    with pytest.raises(PackError, match="ONNX Runtime refuses it"):
        OnnxModel(both, "cuda")


def test_onnx_runtime_itself_refuses_to_leave_operators_to_the_cpu() -> None:
    """What the proof builds on, asked of the real one: where there is no GPU, every operator is left over."""
    import onnxruntime as ort

    if Path("/dev/nvidiactl").exists() or CUDA not in ort.get_available_providers():
        pytest.skip("this machine has a GPU, or ONNX Runtime is not built for one")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    with pytest.raises(Exception, match="fallback to CPU EP has been explicitly disabled"):
        ort.InferenceSession(load_pack("bundled").read("joint.onnx"), options, providers=[CUDA])

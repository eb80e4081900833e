"""Stages that are built and joined, none of them started."""

import hashlib
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import streamwatch
from streamwatch.assembly import Assembly
from streamwatch.config import Config, GpuConfig, load_config
from streamwatch.errors import ConfigError, PackError, PortInUseError
from streamwatch.models import onnx
from streamwatch.models.bucket import BUCKETS
from streamwatch.models.pack import CARD
from streamwatch.video.frame import Clip
from tests.models.accelerator import Accelerator, install

BUNDLED = Path(streamwatch.__file__).parent / "models/bundled"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "rules.yml").write_text("rules: [{alert: away, when: {camera: offline}}]")
    path = tmp_path / "streamwatch.yml"
    path.write_text(f"""
data_dir: {tmp_path}/data
rules: [{tmp_path}/rules.yml]
mqtt: {{port: {free_port()}, client_id: test}}
http: {{port: {free_port()}}}
cameras: [{{name: dock, url: "rtsp://127.0.0.1:{free_port()}/x"}}]
""")
    return load_config(path)


@pytest.fixture
def stages(config: Config) -> Iterator[Assembly]:
    with closing(Assembly(config, lambda worker: None)) as stages:
        yield stages


def test_nothing_runs_before_it_is_started(config: Config) -> None:
    before = set(threading.enumerate())
    with closing(Assembly(config, lambda worker: None)) as stages:
        workers = stages.inference_worker, stages.rules_worker, stages.sink_worker, stages.http_worker
        assert not any(worker.alive for worker in workers)
        assert set(threading.enumerate()) == before


def clips(stages: Assembly, count: int) -> list[Clip]:
    card = stages.model.card
    shape = (count, card.frames, card.size, card.size, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return [Clip(f"c{i}", 0.0, 1.0, frames, 0, 0) for i, frames in enumerate(noise)]


def infer(stages: Assembly, given: list[Clip]) -> None:
    """The inference thread does ``given`` and ends."""
    for clip in given:
        stages._take(clip)
    stages.shut_mailbox()
    stages.inference_worker.start()
    assert stages.inference_worker.join(60)
    assert stages.inference_worker.error is None


@pytest.mark.parametrize("threads", [1, 2])
def test_the_stages_count_what_all_threads_of_the_model_spend(
    config: Config, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(onnx, "crew_size", lambda cores: threads)
    with closing(Assembly(config, lambda worker: None)) as stages:
        assert stages.model.threads == threads
        given = clips(stages, 8)
        before, others = time.process_time(), set(threading.enumerate())
        infer(stages, given)
        spent = time.process_time() - before
        assert len(set(threading.enumerate()) - others) == (threads if threads > 1 else 0)
        value = stages.metrics.registry.get_sample_value
        found = [value("streamwatch_stage_seconds_sum", {"stage": stage}) for stage in ("encode", "score")]
        assert sum(seconds or 0.0 for seconds in found) == pytest.approx(spent, rel=0.3)
    assert set(threading.enumerate()) <= others


def test_the_thread_that_warms_a_gpu_up_is_the_one_that_runs_it(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime records CUDA graphs for each thread: what another one ran would be recorded while clips wait."""
    gpu = install(monkeypatch, Accelerator(["CUDAExecutionProvider"]))
    chosen = {"provider": "cuda", "gpu": GpuConfig(cuda_graph=True)}
    with closing(Assembly(config.model_copy(update=chosen), lambda worker: None)) as stages:
        assert [session.batches for session in gpu.sessions] == [[2], [2]]  # whether they run at all: no second run
        infer(stages, clips(stages, 3))
    for session in gpu.sessions:
        assert set(session.threads[1:]) == {"inference"}
        recorded, ran = session.graphs[1:-1], session.graphs[-1]
        assert recorded == [str(size) for size in reversed(BUCKETS) for _ in range(2)]
        assert (session.batches[-1], ran) == (4, "4")


def test_a_port_in_use_leaves_nothing_behind(config: Config) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", config.http.port))
        taken.listen()
        with pytest.raises(PortInUseError, match=str(config.http.port)):
            Assembly(config, lambda worker: None)
    Assembly(config, lambda worker: None).close()  # folder, broker and port are free again


def test_a_wrong_pack_is_refused_and_leaves_nothing_behind(config: Config, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(BUNDLED, pack)
    card = json.loads((pack / CARD).read_text())
    graph = (pack / "joint.onnx").read_bytes()[:-1000]  # as its hash says, and yet no graph
    (pack / "joint.onnx").write_bytes(graph)
    card["files"]["joint.onnx"] = hashlib.sha256(graph).hexdigest()
    (pack / CARD).write_text(json.dumps(card))
    before = set(threading.enumerate())
    with pytest.raises(PackError, match="joint"):
        Assembly(config.model_copy(update={"model": str(pack)}), lambda worker: None)
    assert set(threading.enumerate()) == before
    Assembly(config, lambda worker: None).close()  # folder and the broker's port are free again


def test_a_folder_has_one_owner(config: Config, stages: Assembly) -> None:
    with pytest.raises(ConfigError, match="in use"):
        Assembly(config, lambda worker: None)

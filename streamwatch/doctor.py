"""Everything that `run` will need, tried once: cameras, model, broker, disk, clock. What is wrong says what to do."""

import ctypes
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from streamwatch.config import CameraConfig, Config
from streamwatch.errors import ConfigError, SourceError, StreamwatchError
from streamwatch.evidence.recorder import FOLDER
from streamwatch.evidence.space import room
from streamwatch.folder import FolderLock
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.models.provider import ENGINES, Gpu
from streamwatch.sinks.greeting import greet
from streamwatch.video.inspection import Inspection, inspect
from streamwatch.video.picture import Opening

__all__ = ["Finding", "Level", "camera_findings", "examine"]

LOOK = 12.0  # seconds at each camera: enough for keyframes 4 s apart
ROOM = 2e9  # bytes that should be free for scores and evidence
AT_ONCE = 16  # cameras looked at side by side
NETWORK = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "ceph", "glusterfs")
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` was found of ``subject``, and what to do about it ('' if nothing)."""

    level: Level
    subject: str
    what: str
    advice: str = ""


def examine(config: Config, seconds: float = LOOK) -> Iterator[Finding]:
    """Findings in the order in which `run` needs the things. Reads each camera for up to ``seconds``."""
    yield from _model(config)
    yield from _disk(config.data_dir)
    yield from _evidence(config)
    yield _clock()
    yield _broker(config)
    enabled = [camera for camera in config.cameras if camera.enabled]
    with ThreadPoolExecutor(min(AT_ONCE, max(1, len(enabled))), "doctor") as pool:
        for findings in pool.map(lambda camera: list(_camera(camera, seconds)), enabled):
            yield from findings


def _model(config: Config) -> Iterator[Finding]:
    try:
        gpu = Gpu(config.data_dir / ENGINES, config.gpu.cuda_graph)
        model = OnnxModel(load_pack(config.model), config.provider, config.strict_provider, gpu)
    except StreamwatchError as error:
        yield Finding(Level.FAIL, "model", str(error))
        return
    card = model.card
    frames = np.zeros((1, card.frames, card.size, card.size, 3), np.uint8)
    model.encode(frames)
    seconds = _quickest(lambda: model.encode(frames))
    cost = f"{model.info.name} {model.info.version} on {model.provider}, {1000 * seconds:.0f} ms a clip"
    if config.provider not in ("auto", model.provider):
        advice = f"install the driver and libraries of {config.provider}, or set provider: {model.provider}"
        yield Finding(Level.WARN, "model", f"{cost}, not on {config.provider} as asked", advice)
    else:
        yield Finding(Level.OK, "model", cost)


def _quickest(work: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def _disk(folder: Path) -> Iterator[Finding]:
    subject = f"data_dir {folder}"
    try:
        FolderLock(folder).close()
    except ConfigError as error:
        running = "in use" in str(error)
        yield Finding(Level.WARN if running else Level.FAIL, subject, str(error))
        if not running:
            return
    free = shutil.disk_usage(folder).free
    kind = _file_system(folder)
    if kind in NETWORK:
        yield Finding(
            Level.WARN, subject, f"lies on {kind}", "SQLite's log needs a local file system; alerts may be lost"
        )
    if free < ROOM:
        yield Finding(Level.WARN, subject, f"{free / 1e9:.1f} GB free", "shorten scores.keep_days, or enlarge the disk")
    else:
        yield Finding(Level.OK, subject, f"{free / 1e9:.0f} GB free")


def _evidence(config: Config) -> Iterator[Finding]:
    evidence, folder = config.evidence, config.data_dir / FOLDER
    if not evidence.enabled or not config.data_dir.is_dir():
        return
    free = shutil.disk_usage(config.data_dir).free
    most = room(evidence, free, sum(path.stat().st_size for path in folder.glob("*/*/*")))
    if free < evidence.min_free:
        what = f"{free / 1e9:.1f} GB free, less than evidence.min_free: clips and snapshots are not kept"
        yield Finding(Level.WARN, "evidence", what, "enlarge the disk, lower evidence.max_bytes, or lower min_free")
    elif most < evidence.max_bytes:
        what = f"may take {evidence.max_bytes / 1e9:.1f} GB, there is room for {most / 1e9:.1f} GB: it would stop there"
        yield Finding(Level.WARN, "evidence", what, "lower evidence.max_bytes, so that the oldest make room in time")


def _file_system(folder: Path) -> str:
    """Its type by the longest mount point above it; '' where that cannot be told."""
    try:
        mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ""
    where = folder.resolve()
    above = [(mount[1], mount[2]) for mount in mounts if where.is_relative_to(mount[1])]
    return max(above, default=("", ""), key=lambda mount: len(mount[0]))[1]


def _clock() -> Finding:
    """Whether the kernel believes the wall clock (adjtimex(2))."""
    try:
        buffer = ctypes.create_string_buffer(512)  # struct timex, all zero: only ask
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return Finding(Level.OK, "clock", "cannot be asked here")
    if state == _TIME_ERROR:
        return Finding(Level.WARN, "clock", "is not synchronised", "run chrony or systemd-timesyncd: alerts carry UTC")
    return Finding(Level.OK, "clock", "is synchronised")


def _broker(config: Config) -> Finding:
    if config.mqtt.host is None:
        return Finding(Level.OK, "broker", f"embedded, on 127.0.0.1:{config.mqtt.port}")
    subject = f"broker {config.mqtt.host}:{config.mqtt.port}"
    try:
        refusal = greet(config.mqtt)
    except ConfigError as error:
        return Finding(Level.FAIL, subject, str(error))
    if refusal is not None:
        advice = "until it is reached alerts are only kept on disk; check address, user, password and certificates"
        return Finding(Level.FAIL, subject, refusal, advice)
    return Finding(Level.OK, subject, "takes us")


def _camera(camera: CameraConfig, seconds: float) -> Iterator[Finding]:
    opening = Opening(
        camera.url, camera.transport, camera.open_timeout, camera.read_timeout, time.sleep, hwaccel=camera.hwaccel
    )
    try:
        found = inspect(opening, seconds)
    except SourceError as error:
        yield Finding(Level.FAIL, f"camera {camera.name}", str(error), _ADVICE.get(error.reason, ""))
        return
    yield from camera_findings(camera, found)


_ADVICE = {
    "refused": "is the camera on, is the port right?",
    "timeout": "is the camera on, and reachable from this machine?",
    "not_found": "the address is right, the path is not: look it up in the camera's manual",
    "unauthorized": "correct user and password in its url",
    "invalid": "open the same url with ffplay; is it a video stream?",
}


def camera_findings(camera: CameraConfig, found: Inspection) -> Iterator[Finding]:
    """What to say of a camera that was seen."""
    subject = f"camera {camera.name}"
    width, height = found.size
    keys = "one keyframe" if found.keyframe_interval is None else f"keyframes {found.keyframe_interval:.1f} s apart"
    what = (
        f"{found.codec or 'pictures'} {width}x{height} at {found.fps:.1f} fps, {keys}, {found.first:.1f} s to the first"
    )
    yield Finding(Level.OK, subject, f"{what}, decoding takes {1000 * found.decode:.0f} ms of a second")
    for wrong, text, advice in (
        (found.fps < 5, f"{found.fps:.1f} fps are few", "quick events need 8 pictures a second; raise the frame rate"),
        (
            camera.hwaccel != "none" and not found.hardware,
            f"hwaccel {camera.hwaccel} does not decode it, the CPU does",
            "install the device's driver, or take hwaccel out",
        ),
        (found.decode > 0.15, "is costly to decode", "use the camera's sub-stream: the model sees 288x288 pixels"),
        (
            (found.keyframe_interval or found.seconds) > 4.5 and found.codec is not None,
            "keyframes are far apart",
            "set the keyframe (I-frame) interval to 2 s: after a loss nothing can be seen before the next one",
        ),
        (found.first > 3.0, f"{found.first:.1f} s to the first picture", "a shorter keyframe interval helps"),
        (not found.dated, "has no timestamps", "times are those of arrival; prefer RTSP to motion JPEG"),
        (abs(found.drift) > 1.0, f"its clock runs {found.drift:+.1f} s off ours", "check its frame rate setting"),
        (found.errors > 0, f"{found.errors} damaged pictures", "a lossy network; with udp, set transport: tcp"),
    ):
        if wrong:
            yield Finding(Level.WARN, subject, text, advice)

"""Real packets for the tests of evidence: films, rings filled from them, alerts and detections about them."""

import hashlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from streamwatch.evidence.ledger import Entry, Ledger
from streamwatch.evidence.vault import Place, write_file
from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.rules.alert import Alert, AlertType
from streamwatch.video.packets import MAX_BYTES, Codec, PacketRing

__all__ = [
    "EPOCH",
    "ID",
    "fill",
    "keep_incident",
    "make_alert",
    "make_detection",
    "make_ring",
    "make_video",
    "pictures",
    "probe",
]

EPOCH = 1_770_000_000.0  # UTC s of the first picture of a filled ring: 2026-02-02
ID = "01KGEN0000ABCDEFGHJKMNPQRS"
MODEL = ModelInfo("bundled", "1", "0" * 64)


def make_video(
    path: Path, codec: str = "libx264", seconds: float = 10, *, bf: int = 0, bright: bool = False, rare: bool = False,
    size: tuple[int, int] = (160, 120),
) -> Path:  # fmt: skip
    """At 10 fps, a keyframe each second (``rare``: one); ``bright``: a white square in the upper left on grey."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = Fraction(1, 10)
        options: dict[str, dict[str, str]] = {
            "libx264": {"g": "9999" if rare else "10", "bf": str(bf), "preset": "ultrafast"},
            "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:keyint=10"},
        }
        chosen = options.get(codec, {"g": "10"})
        stream.options = dict(chosen.items())
        for number in range(round(seconds * 10)):
            image = np.full((size[1], size[0], 3), 60 + number % 100, np.uint8)
            image[60:, (number * 3) % 140 :][:, :20] = 130
            if bright:
                image[10:40, 10:50] = 255
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def fill(ring: PacketRing, path: Path, *, start: float = EPOCH, aligned: bool = True) -> int:
    """Put the packets of a file into ``ring`` as a camera would, its first picture at ``start``; how many."""
    count = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        context = stream.codec_context
        ring.begin(
            Codec(context.name, bytes(context.extradata or b""), stream.time_base, float(stream.average_rate or 25))
        )
        if aligned:
            ring.align(0.0, start)
        for packet in container.demux(stream):
            if packet.size:
                ring.add(bytes(packet), packet.pts, packet.is_keyframe)
                count += 1
    return count


def make_ring(path: Path, seconds: float = 1000, max_bytes: int = MAX_BYTES) -> PacketRing:
    ring = PacketRing(seconds, lambda: EPOCH, max_bytes=max_bytes)
    fill(ring, path)
    return ring


def make_alert(kind: AlertType = AlertType.NEW, at: float = 4.0, *, seq: int = 0, incident: str = ID) -> Alert:
    """About a fight from second 3 on; an end says that it held until ``at``."""
    return Alert(
        id=incident, seq=seq, type=kind, camera="dock", rule="fight", event="fight", zone=None, severity="critical",
        score=0.9, peak_score=0.9, threshold=0.8, start_time=EPOCH + 3.0, time=EPOCH + at,
        end_time=EPOCH + at if kind is AlertType.END else None, summary="Fight", labels={}, annotations={},
        model=MODEL, rule_hash="abcd",
    )  # fmt: skip


def make_detection(at: float, score: float, zone: str | None = None) -> Detection:
    return Detection("dock", EPOCH + at - 16, EPOCH + at, zone, {"fight": score, "fall": 0.1}, 1.0, 1.0, MODEL)


def probe(path: Path, *entries: str) -> list[str]:
    """ffmpeg's own opinion of a clip: decodes it all, and fails on the first complaint."""
    checked = subprocess.run(
        ["ffmpeg", "-v", "warning", "-i", str(path), "-f", "null", "-"], capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stderr) == (0, "")
    shown = ["-show_entries", f"stream={','.join(entries)}", "-count_frames", "-of", "default=nw=1:nk=1"]
    found = subprocess.run(
        ["ffprobe", "-v", "error", *shown, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    return found.stdout.split()


def pictures(path: Path, kind: str = "rgb24") -> Sequence[NDArray[Any]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format=kind) for frame in container.decode(video=0)]


def keep_incident(
    folder: Path, ledger: Ledger, number: int, *, camera: str = "dock", closed: float = EPOCH, size: int = 1000,
    start: float = EPOCH,
) -> Place:  # fmt: skip
    """An incident as the recorder would leave it: clip, snapshot, record and line."""
    place = Place(camera, "2026-02-02", f"01KGEN{number:020d}")
    files = {kind: f"{kind} {number} ".encode().ljust(size // 2, b".") for kind in ("clip", "snapshot")}
    entry = ledger.next(Entry(0, place, start + number, start + number + 5, closed, size, "", ""))
    record: dict[str, object] = {"number": entry.number, "previous": entry.previous, "id": place.id}
    for kind, data in files.items():
        write_file(place.path(folder, kind), data)
        record[kind] = {"file": place.name(kind), "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    data = json.dumps(record).encode()
    write_file(place.path(folder, "json"), data)
    ledger.add(replace(entry, sha256=hashlib.sha256(data).hexdigest()))
    return place

"""A block of the score log: rows of one camera as compressed columns, lossless, readable on its own.

Layout: ``SWS1``, length and CRC-32 of what follows (little-endian u32 each), then under zlib: length of the header
(u32), the header (JSON), the columns one after another. Times are second differences of their bit patterns, numbers
are float32 where that loses nothing and float64 elsewhere; both lie in byte planes (all first bytes, all second …),
which is what makes them small: a camera's day of three events is 2.8 MB, 1.8 MB if the scores fit float32.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamwatch.models.detection import CameraState, Detection, Gap, ModelInfo

__all__ = ["MAGIC", "Block", "Row", "decode", "encode", "join", "peek", "time_of"]

Row = Detection | Gap | CameraState
Floats = NDArray[np.float64]

MAGIC = b"SWS1"
MAX_JOINED = 8192  # rows
MAX_BYTES = 64_000_000  # of a block: a length above it is damage
_FRAME = struct.Struct("<4sII")
_GAP = 0xFFFF  # zone code of a row that is a gap
_STATE = 0xFF00  # and of one that is the first of the block's states
_NOBODY = ModelInfo("", "", "")
# What unpacking may raise although the checksum fits: the block was written by another version.
_FOREIGN = (zlib.error, struct.error, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Columns of N rows of ``camera``. Row ``i`` is a gap at ``end[i]`` where ``zone[i]`` is 0xFFFF, and a change to
    ``states[zone[i] - 0xFF00]`` where that is between.

    ``zone`` uint16 [N] points into ``zones``; ``start``, ``end``, ``motion``, ``filled`` float64 [N];
    ``scores`` float64 [E, N], one line for each of ``events``.
    """

    camera: str
    events: tuple[str, ...]
    model: ModelInfo
    zones: tuple[str | None, ...]
    states: tuple[str, ...]
    zone: NDArray[np.uint16]
    start: Floats
    end: Floats
    motion: Floats
    filled: Floats
    scores: Floats

    def kind(self) -> tuple[object, ...]:
        """What all its rows share."""
        return self.camera, self.events, self.model, self.zones, self.states

    def detections(self) -> NDArray[np.bool_]:
        """Which rows are detections, bool [N]."""
        return np.asarray(self.zone < _STATE)

    def rows(self, first: int = 0, last: int | None = None) -> Iterator[Row]:
        """The rows as they were given to ``encode``, from ``first`` to, but without, ``last``."""
        camera, events, model = self.camera, self.events, self.model
        zones = self.zones
        codes = self.zone[first:last].tolist()
        numbers = (self.start, self.end, self.motion, self.filled)
        scores = zip(*self.scores[:, first:last].tolist(), strict=True) if events else iter([()] * len(codes))
        for code, start, end, motion, filled, values in zip(
            codes, *(column[first:last].tolist() for column in numbers), scores, strict=True
        ):
            if code < _STATE:
                by_event = dict(zip(events, values, strict=False))
                yield Detection(camera, start, end, zones[code], by_event, motion, filled, model)
            elif code == _GAP:
                yield Gap(camera, end)
            else:
                yield CameraState(camera, self.states[code - _STATE], end)


def join(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same rows in fewer blocks, of no more than MAX_JOINED rows if those given are not longer."""
    waiting: list[Block] = []
    rows = 0
    for block in blocks:
        if waiting and (block.kind() != waiting[0].kind() or rows + len(block.zone) > MAX_JOINED):
            yield _joined(waiting)
            waiting, rows = [], 0
        waiting.append(block)
        rows += len(block.zone)
    if waiting:
        yield _joined(waiting)


def encode(rows: Sequence[Row]) -> bytes:
    """``rows`` (at least one; of one camera, one model and the same events in the same order) as a block."""
    first = next((row for row in rows if isinstance(row, Detection)), None)
    events = tuple(first.scores) if first else ()
    model = first.model if first else _NOBODY
    zones: dict[str | None, int] = {}
    states: dict[str, int] = {}
    zone = [_code(row, zones, states) for row in rows]
    blank = (0.0,) * (2 + len(events))
    numbers = np.array(
        [(row.motion, row.filled, *row.scores.values()) if isinstance(row, Detection) else blank for row in rows],
        np.float64,
    )
    columns = [_narrow(column) for column in numbers.T]
    header = {
        "camera": rows[0].camera,
        "events": events,
        "model": (model.name, model.version, model.sha256),
        "zones": list(zones),
        "states": list(states),
        "rows": len(rows),
        "types": [column.dtype.str for column in columns],
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    start = np.array([row.start if isinstance(row, Detection) else row.at for row in rows], np.float64)
    end = np.array([time_of(row) for row in rows], np.float64)
    planes = [_planes(_curb(end)), _planes(_curb(start)), _planes(np.array(zone, "<u2"))]
    planes += [_planes(column) for column in columns]
    packed = zlib.compress(struct.pack("<I", len(text)) + text + b"".join(planes), 6)
    return _FRAME.pack(MAGIC, len(packed), zlib.crc32(packed)) + packed


def decode(data: bytes, offset: int = 0) -> tuple[Block, int]:
    """The block that begins at ``offset`` and where it ends. Raises ValueError if it is cut off or damaged."""
    packed, end = _frame(data, offset)
    try:
        return _unpack(zlib.decompress(packed)), end
    except _FOREIGN as error:
        raise ValueError(f"not a block of this version: {error}") from error


def peek(data: bytes, offset: int = 0) -> tuple[tuple[str, ...], tuple[str | None, ...], int]:
    """Events and zones of the block that begins at ``offset``, and where it ends. Raises ValueError like ``decode``."""
    packed, end = _frame(data, offset)
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(packed, 4)
        header = json.loads(stream.decompress(stream.unconsumed_tail, *struct.unpack("<I", raw)))
        return tuple(header["events"]), tuple(header["zones"]), end
    except _FOREIGN as error:
        raise ValueError(f"not a block of this version: {error}") from error


def time_of(row: Row) -> float:
    """When it counts (UTC s)."""
    return row.end if isinstance(row, Detection) else row.at


def _joined(blocks: Sequence[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    return replace(
        blocks[0],
        zone=np.concatenate([block.zone for block in blocks]),
        start=np.concatenate([block.start for block in blocks]),
        end=np.concatenate([block.end for block in blocks]),
        motion=np.concatenate([block.motion for block in blocks]),
        filled=np.concatenate([block.filled for block in blocks]),
        scores=np.concatenate([block.scores for block in blocks], axis=1),
    )


def _frame(data: bytes, offset: int) -> tuple[bytes, int]:
    if len(data) - offset < _FRAME.size:
        raise ValueError("cut off in the frame")
    magic, length, checksum = _FRAME.unpack_from(data, offset)
    begin = offset + _FRAME.size
    packed = data[begin : begin + length]
    if magic != MAGIC or length > MAX_BYTES or len(packed) != length or zlib.crc32(packed) != checksum:
        raise ValueError("cut off or damaged")
    return packed, begin + length


def _unpack(raw: bytes) -> Block:
    (length,) = struct.unpack_from("<I", raw)
    header = json.loads(raw[4 : 4 + length])
    count = header["rows"]
    place = 4 + length

    def column(kind: str) -> NDArray[np.generic]:
        nonlocal place
        size = np.dtype(kind).itemsize
        plane = np.frombuffer(raw, np.uint8, size * count, place).reshape(size, count)
        place += size * count
        return np.ascontiguousarray(plane.T).view(kind).reshape(count)

    end, start, zone = _uncurb(column("<i8")), _uncurb(column("<i8")), column("<u2")
    motion, filled, *scores = (column(kind).astype(np.float64) for kind in header["types"])
    return Block(
        header["camera"],
        tuple(header["events"]),
        ModelInfo(*header["model"]),
        tuple(header["zones"]),
        tuple(header["states"]),
        zone.astype(np.uint16),
        start,
        end,
        motion,
        filled,
        np.stack(scores) if scores else np.empty((0, count)),
    )


def _code(row: Row, zones: dict[str | None, int], states: dict[str, int]) -> int:
    if isinstance(row, Detection):
        return zones.setdefault(row.zone, len(zones))
    return _GAP if isinstance(row, Gap) else _STATE + states.setdefault(row.state, len(states))


def _planes(column: NDArray[np.generic]) -> bytes:
    """The bytes of ``column`` [N], all first ones first."""
    return column.view(np.uint8).reshape(len(column), -1).T.tobytes()


def _narrow(column: Floats) -> NDArray[np.generic]:
    """``column`` as float32 if that is the same, bit by bit, once widened again."""
    with np.errstate(over="ignore", invalid="ignore"):
        small = column.astype("<f4")
    same = np.array_equal(small.astype("<f8").view(np.int64), np.ascontiguousarray(column).view(np.int64))
    return small if same else np.ascontiguousarray(column, "<f8")


def _curb(times: Floats) -> NDArray[np.int64]:
    """Second differences of the bit patterns: near 0 where times are evenly spaced. Wraps, so it is lossless."""
    return np.diff(np.diff(times.view("<i8"), prepend=np.int64(0)), prepend=np.int64(0))


def _uncurb(column: NDArray[np.generic]) -> Floats:
    return np.cumsum(np.cumsum(column, dtype=np.int64), dtype=np.int64).view(np.float64)

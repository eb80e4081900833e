"""The quantiser of H.264 packets, read from the headers of their slices (ITU-T H.264, 7.3.2–7.3.3). Pure.

A rate control that keeps the bitrate makes a busy picture coarser instead of larger. Size times 2^(QP/6) is about what
the picture would take at one quality, and so tells of motion where the size alone does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["START", "Quantizer"]

START = 4096  # bytes of a packet in which its first slice begins
HEADER = 64  # bytes of a slice in which its header ends
SET = 256  # bytes of a parameter set in which all that matters stands
RANGE = range(-24, 52)  # of quantisers; below zero with more than 8 bits a sample
MIDDLE = 26  # the quantiser at which weight and size are the same
HIGH = frozenset((100, 110, 122, 244, 44, 83, 86, 118, 128, 134, 135, 138, 139))  # profiles that say their chroma
P, B, INTRA, SP, SWITCHING = range(5)


class _Bits:
    """Bits and Exp-Golomb numbers of a NAL unit's payload. Raises IndexError at its end."""

    def __init__(self, nal: bytes) -> None:
        payload = nal.replace(b"\x00\x00\x03", b"\x00\x00")
        self._value = int.from_bytes(payload, "big")
        self._left = 8 * len(payload)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise IndexError("the header is longer than its packet")
        return (self._value >> self._left) & ((1 << count) - 1)

    def number(self) -> int:
        """ue(v)"""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """se(v)"""
        number = self.number()
        return (number + 1) // 2 if number % 2 else -(number // 2)


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What a slice header needs of the sequence parameter set."""

    planes: bool
    chroma: bool
    frame_bits: int
    order: int
    order_bits: int
    order_given: bool
    frames_only: bool


@dataclass(frozen=True, slots=True)
class _Pictures:
    """What a slice header needs of the picture parameter set."""

    cabac: bool
    bottom: bool
    references: tuple[int, int]
    weighted: bool
    bipredicted: int
    quantizer: int
    redundant: bool


class Quantizer:
    """Reads one stream. Parameter sets come in ``extradata`` (of the container: avcC or Annex B) or in the packets."""

    def __init__(self, extradata: bytes | None) -> None:
        self._sequence: _Sequence | None = None
        self._pictures: _Pictures | None = None
        self._prefixed = bool(extradata) and extradata is not None and extradata[0] == 1  # NAL units by their length
        if extradata:
            try:
                for nal in _configuration(extradata) if self._prefixed else _annex_b(extradata):
                    self._learn(nal)
            except (IndexError, ValueError):
                pass  # they come in the stream, or all is weighed by its size

    def weight(self, start: bytes, size: int) -> float:
        """About what a packet of ``size`` bytes that begins with ``start`` would take at a quantiser of MIDDLE.

        Its size where that cannot be read.
        """
        try:
            for nal in _prefixed(start) if self._prefixed else _annex_b(start):
                self._learn(nal)
                if nal[0] & 31 in (1, 5) and self._sequence is not None and self._pictures is not None:
                    quantizer = _slice(nal, self._sequence, self._pictures)
                    return size * 2.0 ** ((quantizer - MIDDLE) / 6) if quantizer in RANGE else float(size)
        except (IndexError, ValueError):
            pass
        return float(size)

    def _learn(self, nal: bytes) -> None:
        if nal[0] & 31 == 7:
            self._sequence = _sequence(_Bits(nal[1:SET]))
        elif nal[0] & 31 == 8:
            self._pictures = _parameters(_Bits(nal[1:SET]))


def _prefixed(data: bytes) -> Iterator[bytes]:
    at = 0
    while at + 5 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield data[at + 4 : at + 4 + size]
        at += 4 + max(1, size)


def _annex_b(data: bytes) -> Iterator[bytes]:
    at = data.find(b"\x00\x00\x01")
    while at >= 0 and at + 3 < len(data):
        yield data[at + 3 :]
        at = data.find(b"\x00\x00\x01", at + 3)


def _configuration(data: bytes) -> Iterator[bytes]:
    """The parameter sets of an avcC box (ISO 14496-15, 5.3.3.1)."""
    at, count = 6, data[5] & 31
    for _ in range(2):
        for _ in range(count):
            size = int.from_bytes(data[at : at + 2], "big")
            yield data[at + 2 : at + 2 + size]
            at += 2 + size
        count, at = data[at] if at < len(data) else 0, at + 1


def _sequence(bits: _Bits) -> _Sequence:
    profile = bits.take(8)
    bits.take(16)
    bits.number()
    chroma, planes = 1, False
    if profile in HIGH:
        chroma = bits.number()
        planes = chroma == 3 and bool(bits.take(1))
        bits.number(), bits.number(), bits.take(1)
        if bits.take(1):
            for k in range(12 if chroma == 3 else 8):
                if bits.take(1):
                    _skip_scaling(bits, 16 if k < 6 else 64)
    frame_bits, order, order_bits, given = bits.number() + 4, bits.number(), 0, False
    if order == 0:
        order_bits = bits.number() + 4
    elif order == 1:
        given = bool(bits.take(1))
        bits.signed(), bits.signed()
        for _ in range(bits.number()):
            bits.signed()
    bits.number(), bits.take(1), bits.number(), bits.number()
    whole = bool(bits.take(1))
    return _Sequence(planes, chroma != 0 and not planes, frame_bits, order, order_bits, given, whole)


def _skip_scaling(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def _parameters(bits: _Bits) -> _Pictures:
    bits.number(), bits.number()
    cabac, bottom = bool(bits.take(1)), bool(bits.take(1))
    if bits.number():
        raise ValueError("slice groups are not read")
    references = (bits.number() + 1, bits.number() + 1)
    weighted, bipredicted = bool(bits.take(1)), bits.take(2)
    quantizer = 26 + bits.signed()
    bits.signed(), bits.signed(), bits.take(2)
    return _Pictures(cabac, bottom, references, weighted, bipredicted, quantizer, bool(bits.take(1)))


def _slice(nal: bytes, sequence: _Sequence, pictures: _Pictures) -> int:
    """The quantiser of a slice: all that stands before it in the header is passed over."""
    bits = _Bits(nal[1:HEADER])
    bits.number()
    kind = bits.number() % 5
    bits.number()
    if sequence.planes:
        bits.take(2)
    bits.take(sequence.frame_bits)
    field = not sequence.frames_only and bool(bits.take(1))
    if field:
        bits.take(1)
    if nal[0] & 31 == 5:
        bits.number()
    _skip_order(bits, sequence, pictures.bottom and not field)
    if pictures.redundant:
        bits.number()
    if kind == B:
        bits.take(1)
    _skip_references(bits, kind, sequence.chroma, pictures)
    if nal[0] >> 5 & 3:
        _skip_marking(bits, nal[0] & 31 == 5)
    if pictures.cabac and kind not in (INTRA, SWITCHING):
        bits.number()
    return pictures.quantizer + bits.signed()


def _skip_order(bits: _Bits, sequence: _Sequence, bottom: bool) -> None:
    if sequence.order == 0:
        bits.take(sequence.order_bits)
    if (sequence.order == 0 and bottom) or (sequence.order == 1 and not sequence.order_given):
        bits.signed()
        if sequence.order == 1 and bottom:
            bits.signed()


def _skip_references(bits: _Bits, kind: int, chroma: bool, pictures: _Pictures) -> None:
    lists = {P: 1, SP: 1, B: 2}.get(kind, 0)
    counts = list(pictures.references[:lists])
    if lists and bits.take(1):
        counts = [bits.number() + 1 for _ in counts]
    for _ in counts:
        if bits.take(1):
            while bits.number() != 3:
                bits.number()
    if not (pictures.weighted and kind in (P, SP)) and not (pictures.bipredicted == 1 and kind == B):
        return
    bits.number()
    if chroma:
        bits.number()
    for _ in range(sum(counts)):
        if bits.take(1):
            bits.signed(), bits.signed()
        if chroma and bits.take(1):
            for _ in range(4):
                bits.signed()


def _skip_marking(bits: _Bits, instant: bool) -> None:
    if instant:
        bits.take(2)
    elif bits.take(1):
        while (operation := bits.number()) != 0:
            for _ in range({1: 1, 2: 1, 3: 2, 4: 1, 6: 1}.get(operation, 0)):
                bits.number()

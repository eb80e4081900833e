"""H.264 and H.265 as bytes: start codes or lengths before each NAL unit, and the parameter sets among them.

ITU-T H.264 and H.265, annex B; ISO/IEC 14496-15 for avcC and hvcC. What is malformed gives less, never an exception.
"""

from collections.abc import Iterator

__all__ = ["parameter_sets", "to_annexb", "unpack_extradata"]

START = b"\x00\x00\x00\x01"
_SETS = {"h264": (7, 8), "hevc": (32, 33, 34)}
_PICTURES = {"h264": range(1, 6), "hevc": range(32)}


def parameter_sets(data: bytes, codec: str) -> bytes:
    """The parameter sets before the first slice of ``data`` (with start codes), each once; b"" unless all are there.

    A picture parameter set alone, as some encoders repeat it, says nothing of another format.
    """
    found: list[bytes] = []
    kinds: set[int] = set()
    for unit in _units(data):
        kind = _kind(unit, codec)
        if kind in _PICTURES[codec]:
            break
        whole = unit.rstrip(b"\x00")
        if kind in _SETS[codec] and whole not in found:
            found.append(whole)
            kinds.add(kind)
    return b"".join(START + unit for unit in found) if len(kinds) == len(_SETS[codec]) else b""


def to_annexb(data: bytes, size: int) -> bytes:
    """Start codes in place of lengths of ``size`` bytes; 0: there are start codes already."""
    if not size:
        return data
    parts, at = [], 0
    while at + size <= len(data):
        end = at + size + int.from_bytes(data[at : at + size], "big")
        parts.append(START + data[at + size : end])
        at = end
    return b"".join(parts)


def unpack_extradata(extradata: bytes, codec: str) -> tuple[bytes, int]:
    """The parameter sets with start codes, and how many bytes each length before a NAL unit has (0: start codes)."""
    if not extradata or extradata[0] != 1:  # neither avcC nor hvcC
        return parameter_sets(extradata, codec), 0
    if codec == "h264" and len(extradata) > 6:
        sps, at = _counted(extradata, 6, extradata[5] & 31)
        pps, _ = _counted(extradata, at + 1, extradata[at] if at < len(extradata) else 0)
        return b"".join(START + unit for unit in (*sps, *pps)), (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 23:
        units: list[bytes] = []
        at = 23
        for _ in range(extradata[22]):
            more, at = _counted(extradata, at + 3, int.from_bytes(extradata[at + 1 : at + 3], "big"))
            units += more
        return b"".join(START + unit for unit in units), (extradata[21] & 3) + 1
    return b"", 0


def _counted(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """``count`` units, each behind two bytes of length, and where the last ends."""
    units = []
    for _ in range(count):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        units.append(data[at + 2 : end])
        at = end
    return units, at


def _units(data: bytes) -> Iterator[bytes]:
    """What lies between start codes of three bytes; the fourth belongs to the unit before and is a zero."""
    at = data.find(b"\x00\x00\x01")
    while at >= 0:
        end = data.find(b"\x00\x00\x01", at + 3)
        unit = data[at + 3 : end if end >= 0 else len(data)]
        if unit:
            yield unit
        at = end


def _kind(unit: bytes, codec: str) -> int:
    return unit[0] & 31 if codec == "h264" else (unit[0] >> 1) & 63

"""Which of a pack's files a provider runs: the card's own, or one of another precision beside it."""

from collections.abc import Container
from pathlib import Path

__all__ = ["EXPORTED", "PREFERRED", "fast_int8", "graph_file"]

# What is asked of an export → the precisions of its graphs; the first is the card's own.
EXPORTED: dict[str, tuple[str, ...]] = {
    "int8": ("int8",),
    "fp16": ("fp16",),
    "fp32": ("fp32",),
    "both": ("int8", "fp16"),
    "all": ("int8", "fp16", "fp32"),
}

# (GPU, int8 products in one instruction) → what is taken before the card's own file, best first. A GPU has no kernels
# for some int8 operators and copies between host and device around each. A CPU is slow in fp16 and never given it;
# without VNNI its int8 sums saturate, and drift.
PREFERRED: dict[tuple[bool, bool], tuple[str, ...]] = {
    (True, True): ("fp16", "fp32"),
    (True, False): ("fp16", "fp32"),
    (False, True): (),
    (False, False): ("fp32",),
}
# x86: AVX-512 and AVX VNNI; ARM: the dot product extension
_FAST = {"avx512_vnni", "avx_vnni", "asimddp"}
_CPUINFO = Path("/proc/cpuinfo")


def fast_int8(cpuinfo: Path = _CPUINFO) -> bool:
    """Whether this CPU multiplies int8 without saturation; True where it does not say what it can."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return True
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features"))), None)
    return flags is None or not _FAST.isdisjoint(flags)


def graph_file(stem: str, provider: str, fast: bool, files: Container[str]) -> str:
    """The file of graph ``stem`` (clip_encoder, joint) for ``provider`` cpu | cuda | tensorrt: e.g.
    ``clip_encoder.fp16.onnx`` if ``files`` holds it, in the end ``clip_encoder.onnx``, which every pack holds.
    """
    wanted = [f"{stem}.{precision}.onnx" for precision in PREFERRED[provider != "cpu", fast]]
    return next((name for name in wanted if name in files), f"{stem}.onnx")

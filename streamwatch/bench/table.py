"""What was measured, as lines to read and as values for JSON."""

import math
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from streamwatch.bench.film import Film
from streamwatch.bench.limits import Limits
from streamwatch.bench.load import HEADROOM, KEPT_UP, Load, cameras_that_fit
from streamwatch.bench.startup import GOAL, Startup
from streamwatch.models.crew import cores

__all__ = ["failed_lines", "limit_lines", "load_lines", "machine", "rate_lines", "report", "startup_lines", "table"]


def machine(provider: str) -> dict[str, Any]:
    """What it was measured on."""
    import onnxruntime

    return {
        "processor": _processor(),
        "cores": cores(),
        "python": platform.python_version(),
        "onnxruntime": onnxruntime.__version__,
        "provider": provider,
        "busy": round(os.getloadavg()[0] / cores(), 2),
    }


def report(
    where: dict[str, Any], film: Film, limits: Limits, loads: Sequence[Load], failed: Mapping[int, str]
) -> dict[str, Any]:
    """All of `streamwatch bench` for JSON. Times are CPU ms of one core, memory is in bytes; ``failed``: why there is
    no load of a number of cameras. On a GPU encoding and scoring are elapsed ms, so what would add both is null.
    """
    return {
        "schema": "streamwatch.bench/1",
        "machine": where,
        "film": asdict(film) | {"path": str(film.path)},
        "limit": asdict(limits) | {"sum": None if limits.gpu else limits.sum, "rate": limits.rate},
        "loads": [
            asdict(load)
            | {
                "age_p95": load.age_p95 if math.isfinite(load.age_p95) else None,
                "kept_up": load.kept_up,
                "counted": None if limits.gpu else load.counted,
                "overhead": None if limits.gpu else load.overhead(limits.graphs),
                "ratio": None if limits.gpu else load.cpu / limits.sum,
                "of_rate": load.windows * load.cameras / limits.rate,
            }
            for load in loads
        ],
        "failed": {str(count): why for count, why in failed.items()},
        "cameras_that_fit": cameras_that_fit(loads, limits),
    }


def limit_lines(limits: Limits) -> Iterator[str]:
    """The parts alone."""
    yield "The parts alone, CPU ms of one core" + (" (encode and score: elapsed, on the GPU):" if limits.gpu else ":")
    rows = [
        ["receive a camera-second over RTSP, no decoding", f"{limits.demux:.1f}"],
        ["decode it, every frame", f"{limits.decode:.1f}"],
        ["scale what is sampled", f"{limits.scale:.1f}"],
        *([f"encode a clip, {n} at once", f"{ms:.2f}"] for n, ms in limits.encode.items()),
        *([f"score a window, {n} at once", f"{ms:.2f}"] for n, ms in limits.score.items()),
    ]
    if not limits.gpu:
        rows.append(["sum of a camera-second, at the cheapest batch", f"{limits.sum:.1f}"])
    yield from table(rows)


def rate_lines(limits: Limits) -> Iterator[str]:
    """What the graphs alone allow on a GPU: the rate at each batch, copies to it and back included."""
    yield "The graphs alone, one after the other, a second:"
    rows = [["clips at once", "frames", "windows encoded and scored"]]
    for batch, encode in limits.encode.items():
        clips = 1e3 / encode
        rows.append([str(batch), f"{limits.frames * clips:,.0f}", f"{1e3 / (encode + limits.score[batch]):,.0f}"])
    yield from table(rows)
    yield f"The pipeline cannot score more than {limits.rate:,.0f} windows a second, of all cameras together."


def load_lines(loads: Sequence[Load], limits: Limits) -> Iterator[str]:
    """The whole pipeline beside its limit: on a CPU what its parts cost, on a GPU what its graphs alone can score."""
    yield "The whole pipeline (`streamwatch run`, a process of its own), CPU ms of one core a camera-second:"
    beside = _beside_rate if limits.gpu else _beside_sum
    yield from table(
        [
            ["cameras", "windows/s", "worst", "age p95", "dropped", "CPU", *beside(None, limits), "memory"],
            *(
                [
                    str(x.cameras), f"{x.windows:.2f}", f"{x.worst:.2f}", f"≤ {x.age_p95:g} s", f"{x.dropped:.0f}",
                    f"{x.cpu:.1f}", *beside(x, limits), f"{x.memory / 1e6:.0f} MB",
                ]
                for x in loads
            ),
        ]
    )  # fmt: skip
    if any(load.reconnects for load in loads):
        yield "Cameras were lost and came back meanwhile: this machine could not serve so many and watch them, too."
    yield from _stage_lines(loads, limits)
    fit = cameras_that_fit(loads, limits)
    if fit:
        yield f"About {fit} such cameras fit on this machine, if they are elsewhere, with {1 - HEADROOM:.0%} to spare."
    else:
        yield f"At none of these numbers did every camera get {KEPT_UP:g} windows a second: try fewer --cameras."


def _beside_sum(load: Load | None, limits: Limits) -> list[str]:
    """Columns of ``load``, or their heads."""
    if load is None:
        return ["of limit", "counted", "overhead"]
    return [f"{load.cpu / limits.sum:.2f}", f"{load.counted:.1f}", f"{load.overhead(limits.graphs):.1f}"]


def _beside_rate(load: Load | None, limits: Limits) -> list[str]:
    """The same on a GPU: of all cameras together, a second."""
    if load is None:
        return ["windows/s in all", "frames/s", "of the graphs'"]
    windows = load.windows * load.cameras
    return [f"{windows:,.0f}", f"{limits.frames * windows * (1 - load.still):,.0f}", f"{windows / limits.rate:.2f}"]


def _stage_lines(loads: Sequence[Load], limits: Limits) -> Iterator[str]:
    stages = sorted({stage for load in loads for stage in load.stages})
    said = "encode and score elapsed, on the GPU; " if limits.gpu else ""
    yield f"Where it goes (streamwatch_stage_seconds; {said}`publish` is waiting, and left out):"
    rows = [["cameras", *stages, *([] if limits.gpu else ["uncounted"])]]
    for load in loads:
        rest = [] if limits.gpu else [f"{load.cpu - load.counted:.2f}"]
        rows.append([str(load.cameras), *(f"{load.stages.get(stage, 0.0):.2f}" for stage in stages), *rest])
    yield from table(rows)


def failed_lines(failed: Mapping[int, str]) -> Iterator[str]:
    """What was not measured."""
    for count, why in failed.items():
        yield f"{count} cameras were not measured: {why}"


def startup_lines(found: Startup) -> Iterator[str]:
    """Each time from the start of the process."""
    yield "Seconds from the start of the process (the best of several):"
    yield from table(
        [
            ["Python alone", f"{found.bare:.2f}"],
            ["import streamwatch", f"{found.imported:.2f}"],
            ["streamwatch --help", f"{found.help:.2f}"],
            ["streamwatch run: answers over HTTP", f"{found.answering:.2f}"],
            ["streamwatch run: its camera is online", f"{found.online:.2f}"],
            [f"streamwatch run: first scored window (goal {GOAL:g})", f"{found.window:.2f}"],
        ]
    )


def table(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Rows of words as lines: the first column to the left, the others to the right."""
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        padded = [word.rjust(width) for word, width in zip(row, widths, strict=True)]
        yield "  ".join(["", row[0].ljust(widths[0]), *padded[1:]])


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            named = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(named, platform.machine())
    except OSError:
        return platform.machine()

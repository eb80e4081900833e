"""``bench``: how fast this machine is, beside what the parts cost alone."""

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from streamwatch.cli.options import ModelOption
from streamwatch.cli.outcome import EXIT_FAILED, fail
from streamwatch.errors import ConfigError, StreamwatchError

__all__ = ["add_commands", "memory", "rules", "startup", "throughput"]

bench_app = typer.Typer(name="bench", help="How fast it is here, beside what its parts cost alone.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
VideoOption = Annotated[Path | None, typer.Option("--video", help="Show this file instead of the made film.")]
ProviderOption = Annotated[str, typer.Option("--provider", help="auto, cpu, cuda or tensorrt.")]
SecondsOption = Annotated[float, typer.Option("--seconds", min=1, help="How long each run is measured.")]
FolderOption = Annotated[Path, typer.Option("--data-dir", help="Where the film is kept, and TensorRT's engines.")]
FOLDER = Path("streamwatch-data/bench")


def add_commands(app: typer.Typer) -> None:
    """Put them into ``app``."""
    app.add_typer(bench_app)


@bench_app.callback(invoke_without_command=True)
def throughput(
    context: typer.Context,
    cameras: Annotated[str, typer.Option("--cameras", help="How many at once; several runs: 8,16.")] = "8,16",
    seconds: SecondsOption = 20.0,
    video: VideoOption = None,
    decode: Annotated[str, typer.Option("--decode", help="all or auto, as in the configuration.")] = "all",
    hwaccel: Annotated[str, typer.Option("--hwaccel", help="none, cuda …: what decodes in the pipeline.")] = "none",
    provider: ProviderOption = "auto",
    model: ModelOption = "bundled",
    data_dir: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Measure the parts alone, then the whole pipeline on RTSP cameras of our own, in two minutes.

    A number of cameras that cannot be measured is told, and the others are; if none could be, the exit code is 1.
    """
    if context.invoked_subcommand is not None:
        return
    from streamwatch.bench import table
    from streamwatch.bench.film import bench_film
    from streamwatch.bench.limits import measure_limits
    from streamwatch.bench.load import measure_loads
    from streamwatch.bench.site import Setup
    from streamwatch.models.onnx import OnnxModel
    from streamwatch.models.pack import load_pack
    from streamwatch.models.provider import Gpu
    from streamwatch.rtsp_server import serve

    try:
        counts, setup = _counts(cameras), Setup(model, provider, decode, hwaccel, _engines(provider, data_dir))
        pack = load_pack(model)
        _note("making the film, once")
        film = bench_film(data_dir, video)
        loaded = OnnxModel(pack, provider, gpu=Gpu(setup.engines))
        where = table.machine(loaded.provider)
        _say(as_json, f"{where['processor']}, {where['cores']} cores; model on {loaded.provider}; {film}")
        if where["busy"] > 0.5:
            _say(as_json, f"It is busy with other things (load {where['busy']:g} a core), so the figures are too high.")
        with serve({"cam": film.path}) as urls:
            _note(f"the parts alone, {2 * seconds:.0f} s")
            limits = measure_limits(film.path, urls["cam"], loaded, seconds)
            _say(as_json, *table.limit_lines(limits))
            if limits.gpu:
                _say(as_json, *table.rate_lines(limits))
            note = partial(_note_load, seconds)
            loads, failed = measure_loads(urls["cam"], counts, seconds, setup, note)
    except StreamwatchError as error:
        fail(error)
    if loads:
        _say(as_json, *table.load_lines(loads, limits))
    if as_json:
        print(json.dumps(table.report(where, film, limits, loads, failed), indent=1))
    for line in table.failed_lines(failed):
        print(f"streamwatch: {line}", file=sys.stderr)
    if not loads:
        raise typer.Exit(EXIT_FAILED)


@bench_app.command()
def startup(
    video: VideoOption = None,
    provider: ProviderOption = "auto",
    model: ModelOption = "bundled",
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="The best of so many.")] = 3,
    data_dir: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Measure the time from the start of the process to the first scored window of a camera that is up."""
    from streamwatch.bench import table
    from streamwatch.bench.film import bench_film
    from streamwatch.bench.site import Setup
    from streamwatch.bench.startup import measure_startup
    from streamwatch.rtsp_server import serve

    try:
        setup = Setup(model, provider, engines=_engines(provider, data_dir))
        _note("making the film, once")
        film = bench_film(data_dir, video)
        with serve({"cam": film.path}) as urls:
            _note("starting, several times")
            found = measure_startup(urls["cam"], setup, rounds)
    except StreamwatchError as error:
        fail(error)
    _say(as_json, *table.startup_lines(found))
    if as_json:
        print(json.dumps(asdict(found), indent=1))


@bench_app.command()
def memory(
    cameras: Annotated[str, typer.Option("--cameras", help="Two numbers: 4,16.")] = "4,16",
    seconds: SecondsOption = 20.0,
    video: VideoOption = None,
    provider: ProviderOption = "auto",
    model: ModelOption = "bundled",
    data_dir: FolderOption = FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Measure what each further camera takes of memory."""
    from streamwatch.bench.film import bench_film
    from streamwatch.bench.load import measure_load
    from streamwatch.bench.site import Setup
    from streamwatch.rtsp_server import serve

    try:
        few, *rest = _counts(cameras)
        if len(rest) != 1 or rest[0] <= few:
            raise ConfigError(f"--cameras {cameras}: needs two numbers, the second larger, such as 4,16")
        setup = Setup(model, provider, engines=_engines(provider, data_dir))
        _note("making the film, once")
        film = bench_film(data_dir, video)
        with serve({"cam": film.path}) as urls:
            _note(f"{few} cameras, then {rest[0]}")
            less, more = (measure_load(urls["cam"], n, seconds, setup).memory for n in (few, rest[0]))
    except StreamwatchError as error:
        fail(error)
    each = (more - less) / (rest[0] - few)
    both = f"{few} cameras: {less / 1e6:.0f} MB, {rest[0]} cameras: {more / 1e6:.0f} MB"
    _say(as_json, f"{both}; a further one takes {each / 1e6:.1f} MB")
    if as_json:
        print(json.dumps({"memory": {str(few): less, str(rest[0]): more}, "per_camera": each}, indent=1))


@bench_app.command()
def rules(
    seconds: SecondsOption = 12.0,
    full: Annotated[bool, typer.Option("--full", help="Backtest 30 days of 20 cameras: minutes.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how many detections 20 rules take on 100 cameras, and how long backtests last."""
    from streamwatch.bench import rules as bench

    _note("rules on made detections")
    figures = bench.measure_rules(seconds)
    _note("backtests")
    day, count = bench.measure_backtest(1, 1)
    month = bench.measure_backtest(30, 20)[0] if full else day * 30 * 20
    ratio = bench.compare_with_library(seconds / 4)
    _say(
        as_json,
        "Detections a second and core, 20 rules on 100 cameras:",
        f"  thresholds                      quiet {figures.quiet:>11,.0f}   mixed {figures.mixed:>11,.0f}",
        f"  12 of them with operators over time {figures.quiet_over_time:>9,.0f} {figures.mixed_over_time:>19,.0f}",
        f"Backtest of a camera-day ({count:,} detections, from disk): {day:.2f} s",
        f"Backtest of 30 days of 20 cameras: {month:.0f} s{'' if full else ' (600 such days; --full measures it)'}",
        "rule-engine is not installed: pip install 'streamwatch[bench]'"
        if ratio is None
        else f"Beside rule-engine on 20 plain thresholds: {ratio:.0f} times as many detections a second",
    )
    if as_json:
        figures_ = {"day_s": day, "day_detections": count, "month_s": month, "month_measured": full}
        print(json.dumps(asdict(figures) | figures_ | {"of_rule_engine": ratio}, indent=1))


def _counts(text: str) -> list[int]:
    """Numbers of cameras from 8,16. Raises ConfigError."""
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = [0]
    if not all(0 < count <= 1000 for count in counts):
        raise ConfigError(f"--cameras {text}: must be numbers from 1 to 1000, such as 8,16")
    return counts


def _engines(provider: str, data_dir: Path) -> Path | None:
    """Where TensorRT's engines stay: building them takes minutes, and every run needs the same."""
    return data_dir / "tensorrt" if provider == "tensorrt" else None


def _note(what: str) -> None:
    """What is under way, for whoever waits at a terminal."""
    if sys.stderr.isatty():
        print(f"… {what}", file=sys.stderr, flush=True)


def _note_load(seconds: float, count: int) -> None:
    _note(f"{count} cameras, {seconds:.0f} s and what it takes to start")


def _say(as_json: bool, *lines: str) -> None:
    """Lines for people; nothing beside a JSON document."""
    if not as_json:
        print(*lines, sep="\n", flush=True)

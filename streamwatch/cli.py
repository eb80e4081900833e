"""The command line: parse, call the library, exit code. Heavy imports are late: ``--help`` answers at once."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from streamwatch import __version__
from streamwatch.errors import (
    ConfigError,
    PackError,
    PortInUseError,
    ProviderError,
    StreamwatchError,
)

if TYPE_CHECKING:
    from streamwatch.config import Config
    from streamwatch.offline import Recording, Step
    from streamwatch.rules.rule import Rule

__all__ = ["EXIT_CONFIG", "EXIT_FAILED", "app", "check", "demo", "detect", "run"]

EXIT_FAILED = 1
EXIT_CONFIG = 78  # sysexits.h EX_CONFIG: a service manager must not restart in a loop

app = typer.Typer(
    name="streamwatch",
    help="Real-time surveillance stream analyzer: cameras → VideoBERT → rules → MQTT alerts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration.", show_default=True)]
ModelOption = Annotated[str, typer.Option("--model", help="bundled, or the folder of a pack.")]
RulesOption = Annotated[
    list[Path] | None, typer.Option("--rules", help="Rule files or folders instead of the shipped.")
]


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(config: ConfigOption = Path("streamwatch.yml")) -> None:
    """Watch the cameras of a configuration until SIGTERM or Ctrl-C."""
    from streamwatch.logs import configure
    from streamwatch.signals import stop_on_signals

    configure()
    stop = stop_on_signals()
    try:
        from streamwatch.config import load_config
        from streamwatch.pipeline import Pipeline

        with Pipeline(load_config(config)) as pipeline:
            pipeline.wait(stop)
    except StreamwatchError as error:
        _fail(error)


@app.command()
def check(
    config: ConfigOption = Path("streamwatch.yml"),
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of the configuration instead.")
    ] = False,
) -> None:
    """Print what `run` would do, without doing it."""
    from streamwatch.config import Config, load_config

    if schema:
        print(json.dumps(Config.model_json_schema(), indent=2))
        return
    try:
        from streamwatch.plan import draw_plan

        loaded = load_config(config)
        plan = draw_plan(loaded)
    except StreamwatchError as error:
        _fail(error)
    card = plan.pack.card
    _print_site(loaded, plan.rules, f"{card.name} {card.version} ({', '.join(card.events)})")


@app.command()
def demo(
    camera: Annotated[list[str] | None, typer.Option("--camera", help="Watch this URL instead of the scenes.")] = None,
    video: Annotated[list[Path] | None, typer.Option("--video", help="Serve this file as a camera instead.")] = None,
    seconds: Annotated[float, typer.Option("--seconds", help="End after so many seconds; 0: at Ctrl-C.")] = 0.0,
    data_dir: Annotated[Path, typer.Option("--data-dir", help="Where scenes and alerts are kept.")] = Path(
        "streamwatch-data/demo"
    ),
) -> None:
    """The main job on embedded defaults: broker, RTSP cameras, model, rules, alerts."""
    import logging

    from streamwatch.logs import configure
    from streamwatch.signals import stop_on_signals

    configure(logging.WARNING)
    stop = stop_on_signals()
    try:
        from streamwatch.demo import Demo

        with Demo(camera or [], video or [], data_dir, _say) as running:
            running.wait(stop, seconds)
    except StreamwatchError as error:
        _fail(error)


@app.command()
def detect(
    video: Annotated[str, typer.Argument(help="A file, or a URL that `cameras:` would take.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print scores and alerts as one JSON document.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw scores, incidents and frames into this file.")
    ] = None,
    model: ModelOption = "bundled",
    rules: RulesOption = None,
) -> None:
    """Analyze a recording: scores each second, and the incidents that the rules would open."""
    try:
        recording = _recording(video, model, rules)
        steps, timeline = [], None
        if plot is not None:
            from streamwatch.plot import Timeline

            timeline = Timeline()
        for step in _with_progress(recording):
            steps.append(_summary(step))
            if timeline is not None:
                timeline.add(step)
        if timeline is not None and plot is not None:
            timeline.draw(plot, recording.camera, recording.model.card.events)
    except StreamwatchError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        _fail(ConfigError("--plot needs matplotlib: pip install 'streamwatch[plot]'"))
    _print_detections(steps, recording, as_json)


def _recording(video: str, model: str, rules: list[Path] | None) -> "Recording":
    from streamwatch.models.onnx import OnnxModel
    from streamwatch.models.pack import load_pack
    from streamwatch.offline import Recording, camera_name, source_url
    from streamwatch.plan import shipped_rules
    from streamwatch.rules.book import RuleBook
    from streamwatch.rules.loading import load_rules
    from streamwatch.rules.vocabulary import Vocabulary

    url, camera = source_url(video), camera_name(video)
    pack = load_pack(model)
    vocabulary = Vocabulary(frozenset(pack.card.events), (camera,), {})
    book = RuleBook(load_rules(rules or [shipped_rules()], vocabulary), salt=video)
    return Recording(url, camera, OnnxModel(pack), book)


def _with_progress(recording: "Recording") -> Any:
    """The steps, with a counter of media seconds on a terminal."""
    if not sys.stderr.isatty():
        yield from recording.steps()
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:.0f} s of video"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield from recording.steps(lambda seconds: bar.update(task, completed=seconds))


def _summary(step: "Step") -> dict[str, Any]:
    """One step as JSON has it, without its pictures."""
    return {
        "detections": [
            {"start": d.start, "end": d.end, "zone": d.zone, "scores": d.scores, "filled": d.filled}
            for d in step.detections
        ],
        "alerts": [
            {
                "id": a.id, "type": a.type.value, "rule": a.rule, "event": a.event, "severity": a.severity,
                "time": a.time, "start_time": a.start_time, "end_time": a.end_time, "score": a.score,
                "peak_score": a.peak_score, "summary": a.summary,
            }
            for a in step.alerts
        ],
    }  # fmt: skip


def _print_detections(steps: list[dict[str, Any]], recording: "Recording", as_json: bool) -> None:
    detections = [detection for step in steps for detection in step["detections"]]
    alerts = [alert for step in steps for alert in step["alerts"]]
    if as_json:
        info = recording.model.info
        model = {"name": info.name, "version": info.version, "sha256": info.sha256}
        print(json.dumps({"video": str(recording.url), "model": model, "detections": detections, "alerts": alerts}))
        return
    ends = [alert for alert in alerts if alert["type"] == "end"]
    print(f"{recording.camera}: {len(detections)} windows, {len(ends)} incidents")
    for event in recording.model.card.events:
        best = max(detections, key=lambda d: d["scores"][event])
        print(f"  {event:12s} highest score {best['scores'][event]:.2f} at {best['end']:.1f} s")
    for alert in ends:
        span = f"{alert['start_time']:8.1f} – {alert['end_time']:.1f} s"
        print(f"{span}  {alert['severity']:8s} {alert['rule']}: {alert['summary']} (peak {alert['peak_score']:.2f})")


def _print_site(config: "Config", rules: "tuple[Rule, ...]", model: str) -> None:
    print(f"model    {model}, provider {config.provider}")
    for camera in config.cameras:
        zones = f", zones {', '.join(zone.name for zone in camera.zones)}" if camera.zones else ""
        print(f"camera   {camera.name}: {camera.url}{'' if camera.enabled else ' (disabled)'}{zones}")
    for rule in rules:
        print(f"rule     {rule.name} on {', '.join(rule.cameras)}, {rule.severity} ({rule.where})")
    mqtt = config.mqtt
    print(f"broker   {mqtt.host or 'embedded on 127.0.0.1'}:{mqtt.port}, topics {mqtt.topic_prefix}/…")
    print(f"http     http://{config.http.host}:{config.http.port}/metrics /healthz /readyz")


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(error: StreamwatchError) -> NoReturn:
    """One clear message, and an exit code that tells a service manager whether to try again."""
    for line in str(error).splitlines() or [type(error).__name__]:
        print(f"streamwatch: {line}", file=sys.stderr)
    wrong_setup = isinstance(error, ConfigError | PackError | ProviderError | PortInUseError)
    raise typer.Exit(EXIT_CONFIG if wrong_setup else EXIT_FAILED)

"""The command line: parse, call the library, exit code. Heavy imports are late: ``--help`` answers at once."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from streamwatch import __version__
from streamwatch.errors import (
    ConfigError,
    PackError,
    PortInUseError,
    ProviderError,
    StreamwatchError,
)
from streamwatch.training.cli import add_commands

if TYPE_CHECKING:
    pass

__all__ = ["EXIT_CONFIG", "EXIT_FAILED", "app", "backtest", "check", "demo", "detect", "explain", "run", "test_rules"]

EXIT_FAILED = 1
EXIT_CONFIG = 78  # sysexits.h EX_CONFIG: a service manager must not restart in a loop

app = typer.Typer(
    name="streamwatch",
    help="Real-time surveillance stream analyzer: cameras → VideoBERT → rules → MQTT alerts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

rules_app = typer.Typer(name="rules", help="Try rules: on made scores, on logged ones.", no_args_is_help=True)
app.add_typer(rules_app)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration.", show_default=True)]
ModelOption = Annotated[str, typer.Option("--model", help="bundled, or the folder of a pack.")]
RulesOption = Annotated[
    list[Path] | None, typer.Option("--rules", help="Rule files or folders instead of the shipped.")
]

SiteOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="A configuration whose cameras and zones rules may name too.")
]
ScoresOption = Annotated[Path, typer.Option("--scores", help="A score log: <data_dir>/scores.")]


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
    """Watch the cameras of a configuration until SIGTERM or Ctrl-C; SIGHUP has the rules read again."""
    from streamwatch.logs import configure
    from streamwatch.signals import hangups, stop_on_signals

    configure()
    stop, reload = stop_on_signals(), hangups()
    try:
        from streamwatch.config import load_config
        from streamwatch.pipeline import Pipeline

        with Pipeline(load_config(config)) as pipeline:
            pipeline.wait(stop, reload)
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
        from streamwatch.report import site_lines

        loaded = load_config(config)
        plan = draw_plan(loaded)
    except StreamwatchError as error:
        _fail(error)
    card = plan.pack.card
    for line in site_lines(loaded, plan.rules, f"{card.name} {card.version} ({', '.join(card.events)})"):
        print(line)


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
    scores: Annotated[
        Path | None, typer.Option("--scores", help="Write a score log into this folder, for `rules backtest`.")
    ] = None,
    model: ModelOption = "bundled",
    rules: RulesOption = None,
) -> None:
    """Analyze a recording: scores each second, and the incidents that the rules would open."""
    from streamwatch.offline import open_recording, score_log
    from streamwatch.progress import progress
    from streamwatch.report import detection_lines, step_summary

    try:
        recording = open_recording(video, model, rules)
        log = score_log(scores, recording.camera) if scores is not None else None
        steps, timeline = [], None
        if plot is not None:
            from streamwatch.plot import Timeline

            timeline = Timeline()
        with progress("video") as show:
            for step in recording.steps(show):
                steps.append(step_summary(step))
                if timeline is not None:
                    timeline.add(step)
                if log is not None:
                    log.take(step.detections)
        if log is not None:
            log.close()
        if timeline is not None and plot is not None:
            timeline.draw(plot, recording.camera, recording.model.card.events)
    except StreamwatchError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        _fail_without_matplotlib(error)
    for line in detection_lines(steps, recording, as_json):
        print(line)


@rules_app.command("test")
def test_rules(
    files: Annotated[list[Path], typer.Argument(help="NAME.test.yml, or folders of such files.")],
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the outcome into this file, as XML.")] = None,
) -> None:
    """Play scores at simulated times to rules, and compare the incidents with those expected."""
    from streamwatch.rules.junit import passed, report
    from streamwatch.rules.loading import run_suites

    try:
        verdicts = run_suites(files, junit)
    except StreamwatchError as error:
        _fail(error)
    print("\n".join(report(verdicts)))
    if not passed(verdicts):
        raise typer.Exit(EXIT_FAILED)


@rules_app.command()
def backtest(
    scores: ScoresOption,
    rules: RulesOption = None,
    against: Annotated[list[Path] | None, typer.Option("--against", help="Rules in force, to compare with.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only the last, such as 30d, of the log.")] = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="CSV: camera,start_s,end_s,label.")] = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="Try each rule with other thresholds.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report, alerts too, here.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the sweep into this file.")] = None,
    config: SiteOption = None,
) -> None:
    """Replay score logs through rules: what would fire, when and where."""
    from streamwatch import backtest as library
    from streamwatch.config import load_config
    from streamwatch.plan import shipped_rules
    from streamwatch.progress import progress
    from streamwatch.report import backtest_lines
    from streamwatch.sweep import draw_sweep

    try:
        with progress("the log") as show:
            log = library.ScoreFolder(scores, progress=show, site=load_config(config) if config else None)
            log = log if since is None else log.last(library.parse_since(since))
            truths = library.read_truth(truth) if truth is not None else ()
            swept = sweep or plot is not None
            report = library.backtest(log, rules or [shipped_rules()], against or (), truths, swept)
        if json_file is not None:
            library.write_report(report, json_file)
        if plot is not None:
            draw_sweep(report["sweep"], plot)
    except StreamwatchError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        _fail_without_matplotlib(error)
    for line in backtest_lines(report):
        print(line)


@rules_app.command()
def explain(
    scores: ScoresOption,
    rule: Annotated[str, typer.Option("--rule", help="Its name.")],
    at: Annotated[str, typer.Option("--at", help="When: ISO 8601, or seconds as in the log.")],
    camera: Annotated[str | None, typer.Option("--camera", help="Where, if the rule watches several.")] = None,
    rules: RulesOption = None,
    config: SiteOption = None,
) -> None:
    """Say why a rule fired, or did not, at one time."""
    from streamwatch import backtest as library
    from streamwatch.config import load_config
    from streamwatch.plan import shipped_rules
    from streamwatch.report import explanation_lines

    try:
        moment = library.parse_at(at)
        log = library.ScoreFolder(scores, site=load_config(config) if config else None)
        found = library.explain_rule(log, rules or [shipped_rules()], rule, camera, moment)
    except StreamwatchError as error:
        _fail(error)
    for line in explanation_lines(found):
        print(line)


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(error: StreamwatchError) -> NoReturn:
    """One clear message, and an exit code that tells a service manager whether to try again."""
    for line in str(error).splitlines() or [type(error).__name__]:
        print(f"streamwatch: {line}", file=sys.stderr)
    wrong_setup = isinstance(error, ConfigError | PackError | ProviderError | PortInUseError)
    raise typer.Exit(EXIT_CONFIG if wrong_setup else EXIT_FAILED)


def _fail_without_matplotlib(error: ModuleNotFoundError) -> NoReturn:
    if error.name != "matplotlib":
        raise error
    _fail(ConfigError("--plot needs matplotlib: pip install 'streamwatch[plot]'"))


add_commands(app)  # last, so that `--help` names what runs before what trains

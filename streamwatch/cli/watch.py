"""The commands that watch: cameras, scenes, recordings."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamwatch.cli.options import ConfigOption, ModelOption, RulesOption
from streamwatch.cli.outcome import fail, fail_without_matplotlib
from streamwatch.errors import StreamwatchError

if TYPE_CHECKING:
    from streamwatch.cluster.fleet import Fleet

__all__ = ["add_commands", "check", "demo", "detect", "run"]


def add_commands(app: typer.Typer) -> None:
    """Put them into ``app``."""
    for command in (run, check, demo, detect):
        app.command()(command)


def run(
    config: ConfigOption = Path("streamwatch.yml"),
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="On all nodes of Ray: auto, ray://host:port, or local:N on this machine."),
    ] = None,
) -> None:
    """Watch the cameras of a configuration until SIGTERM or Ctrl-C; SIGHUP has the rules read again."""
    from streamwatch.logs import configure
    from streamwatch.notify import Notifier
    from streamwatch.signals import hangups, stop_on_signals

    configure()
    stop, reload, manager = stop_on_signals(), hangups(), Notifier()
    try:
        from streamwatch.config import load_config
        from streamwatch.pipeline import Pipeline

        with Pipeline(load_config(config)) if cluster is None else _fleet(config, cluster) as pipeline:
            manager.ready(f"{len(pipeline.config.cameras)} cameras, {len(pipeline.rules)} rules")
            pipeline.wait(stop, reload, manager.alive)
            manager.stopping()
    except StreamwatchError as error:
        fail(error)


def _fleet(config: Path, cluster: str) -> "Fleet":
    """As a pipeline, on several machines. Raises ConfigError if that cannot be."""
    from streamwatch.cluster.engine import prepare
    from streamwatch.config import load_config

    prepare(cluster)
    from streamwatch.cluster.fleet import Fleet

    return Fleet(load_config(config), cluster)


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
        fail(error)
    card = plan.pack.card
    for line in site_lines(loaded, plan.rules, f"{card.name} {card.version} ({', '.join(card.events)})"):
        print(line)


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
        fail(error)


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
        fail(error)
    except ModuleNotFoundError as error:
        fail_without_matplotlib(error)
    for line in detection_lines(steps, recording, as_json):
        print(line)


def _say(line: str) -> None:
    print(line, flush=True)

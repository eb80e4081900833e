"""``doctor``: what `run` will need, tried once."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from streamwatch.cli.options import ConfigOption
from streamwatch.cli.outcome import EXIT_FAILED, fail
from streamwatch.errors import StreamwatchError

__all__ = ["add_commands", "doctor"]


def add_commands(app: typer.Typer) -> None:
    """Put it into ``app``."""
    app.command()(doctor)


def doctor(
    config: ConfigOption = Path("streamwatch.yml"),
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, help="How long to look at each camera, at most.")
    ] = 12.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a finding.")] = False,
) -> None:
    """Try cameras, model, broker, disk and clock; say what is wrong and what to do. Exit code 1 if anything fails."""
    from streamwatch.config import load_config
    from streamwatch.doctor import Level, examine
    from streamwatch.plan import draw_plan

    try:
        loaded = load_config(config)
        draw_plan(loaded)
    except StreamwatchError as error:
        fail(error)
    failed = False
    for finding in examine(loaded, seconds):
        failed |= finding.level is Level.FAIL
        if as_json:
            print(json.dumps(asdict(finding)), flush=True)
            continue
        print(f"{finding.level.value:4}  {finding.subject}: {finding.what}", flush=True)
        if finding.advice:
            print(f"      → {finding.advice}", flush=True)
    if failed:
        raise typer.Exit(EXIT_FAILED)

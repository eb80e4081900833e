"""``healthcheck``: is the process that this configuration runs well? For containers, which have no curl."""

import json
from pathlib import Path
from typing import Annotated

import typer

from streamwatch.cli.options import ConfigOption
from streamwatch.cli.outcome import EXIT_FAILED, fail
from streamwatch.errors import StreamwatchError

__all__ = ["add_commands", "healthcheck"]


def add_commands(app: typer.Typer) -> None:
    """Put it into ``app``."""
    app.command()(healthcheck)


def healthcheck(
    config: ConfigOption = Path("streamwatch.yml"),
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for an answer.")] = 5.0,
) -> None:
    """Ask the running process whether it is well; exit code 1 if it is not, or does not answer."""
    from streamwatch.config import load_config
    from streamwatch.probe import ask_health

    try:
        answer = ask_health(load_config(config).http, timeout)
    except StreamwatchError as error:
        fail(error)
    print(json.dumps(answer.body))
    if not answer.well:
        raise typer.Exit(EXIT_FAILED)

"""All commands, in the order in which `--help` shows them."""

from typing import Annotated

import typer

from streamwatch import __version__
from streamwatch.cli import bench, cluster, doctor, evidence, healthcheck, rules, train, watch

__all__ = ["app"]

app = typer.Typer(
    name="streamwatch",
    help="Real-time surveillance stream analyzer: cameras → VideoBERT → rules → MQTT alerts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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


# Each adds its commands; what runs comes before what trains.
for group in (watch, doctor, healthcheck, cluster, rules, evidence, bench, train):
    group.add_commands(app)

"""The commands about a cluster that runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from streamwatch.cli.options import ConfigOption
from streamwatch.cli.outcome import fail
from streamwatch.errors import ConfigError, StreamwatchError

__all__ = ["add_commands", "drain", "status"]

WhereOption = Annotated[
    str | None, typer.Option("--cluster", help="auto, ray://host:port or host:port; the nodes of this machine first.")
]


def add_commands(app: typer.Typer) -> None:
    """Put them into ``app``."""
    group = typer.Typer(name="cluster", help="Look after streamwatch on several machines.", no_args_is_help=True)
    for command in (status, drain):
        group.command()(command)
    app.add_typer(group)


def status(config: ConfigOption = Path("streamwatch.yml"), cluster: WhereOption = None) -> None:
    """Hosts with their load, cameras, age of the last report and clock."""
    from streamwatch.cluster.census import status_lines

    try:
        with _connected(config, cluster):
            from streamwatch.cluster.fleet import census_of

            lines = list(status_lines(census_of()))
    except StreamwatchError as error:
        fail(error)
    for line in lines:
        print(line)


def drain(
    host: Annotated[str, typer.Argument(help="As `cluster status` names it.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let it take cameras again.")] = False,
    config: ConfigOption = Path("streamwatch.yml"),
    cluster: WhereOption = None,
) -> None:
    """Have a host give its cameras to others, a few at a time, so that its node can be taken away."""
    try:
        with _connected(config, cluster):
            from streamwatch.cluster.fleet import census_of, drain_host

            if not drain_host(host, not undo):
                known = ", ".join(seat.standing.host for seat in census_of().seats)
                raise ConfigError(f"no host is named {host!r}; there are {known or 'none'}")
    except StreamwatchError as error:
        fail(error)
    print(f"{host} takes cameras again" if undo else f"{host} gives its cameras away; see `streamwatch cluster status`")


@contextmanager
def _connected(config: Path, where: str | None) -> Iterator[None]:
    """Ray, while the block lasts."""
    from streamwatch.cluster.engine import attach, known_address
    from streamwatch.config import load_config

    engine = attach(where or known_address(load_config(config).data_dir) or "auto")
    try:
        yield
    finally:
        engine.close()

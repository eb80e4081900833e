"""The commands that look after evidence."""

from pathlib import Path
from typing import Annotated

import typer

from streamwatch.cli.outcome import EXIT_FAILED, fail
from streamwatch.errors import StreamwatchError

__all__ = ["add_commands", "verify"]

evidence_app = typer.Typer(name="evidence", help="Look after clips and snapshots of incidents.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Put them into ``app``."""
    app.add_typer(evidence_app)


@evidence_app.callback()
def _root() -> None:
    pass


@evidence_app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="<data_dir>/evidence")] = Path("streamwatch-data/evidence"),
    head: Annotated[str | None, typer.Option("--head", help="A head noted earlier that must be in the ledger.")] = None,
) -> None:
    """Say which evidence was changed, removed or moved since it was kept; exit code 1 if any was."""
    from streamwatch.evidence.verify import verify as look

    try:
        report = look(folder, head)
    except StreamwatchError as error:
        fail(error)
    for fault in report.faults:
        print(f"{fault.file}: {fault.what}")
    print(f"{report.incidents} incidents kept, {report.deleted} deleted by age or size, {len(report.faults)} faults")
    print(f"head {report.head}")
    if report.faults:
        raise typer.Exit(EXIT_FAILED)

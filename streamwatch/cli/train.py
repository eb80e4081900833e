"""The training commands of the command line; the libraries they need (extra ``train``) come in when one runs."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

__all__ = ["add_commands", "evaluate", "export", "finetune"]

R = TypeVar("R")
EXIT_FAILED = 1


def _table(path: Path) -> Path:
    if path.name != "clips.csv":
        raise typer.BadParameter(f"{path.name}: the table must be called clips.csv, with segments.csv beside it")
    return path


ClipsOption = Annotated[
    Path, typer.Option("--clips", callback=_table, help="clips.csv; segments.csv and the clips lie beside it.")
]

train = typer.Typer(name="train", help="Train a model (extra `train`).", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Put the training commands into ``app``."""
    app.add_typer(train)
    app.command()(evaluate)
    app.command()(export)


@train.command()
def finetune(
    clips: ClipsOption,
    work: Annotated[Path, typer.Option("--work", help="Where features and the checkpoint are kept.")] = Path("runs"),
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same model.")] = 0,
) -> None:
    """Train heads and joint transformer on the split `train` of a table of clips, and on rendered scenes."""

    def run() -> Path:
        from streamwatch.training.finetune import train
        from streamwatch.training.settings import Settings

        return train(clips.parent, work, Settings(seed=seed))

    print(_with_extra(run))


@train.callback()
def _train() -> None:
    """Train a model (extra `train`)."""


def evaluate(
    clips: ClipsOption,
    split: Annotated[str, typer.Option("--split", help="The split to score.")] = "val",
    pack: Annotated[str, typer.Option("--pack", help="bundled, or the folder of a pack.")] = "bundled",
    to: Annotated[Path | None, typer.Option("--json", help="Write the figures into this file.")] = None,
    ablations: Annotated[bool, typer.Option("--ablations", help="Also single frame and shuffled frames.")] = False,
) -> None:
    """Score a pack on labelled clips: AUC, AP, the baselines beside them."""

    def run() -> str:
        from streamwatch.training.evaluate import evaluate, table

        report = evaluate(clips.parent, pack, split, ablations=ablations)
        if to is not None:
            to.write_text(json.dumps(_finite(report), indent=1), encoding="utf-8")
        return table(report)

    print(_with_extra(run))


def export(
    checkpoint: Annotated[Path, typer.Argument(help="What training left.")],
    out: Annotated[Path, typer.Argument(help="The folder of the pack.")],
    clips: ClipsOption,
) -> None:
    """Make a pack of a checkpoint: int8 graphs, calibration, card."""

    def run() -> str:
        from streamwatch.training.export import export

        card = export(checkpoint, clips.parent, out)
        return f"{out}: {card['name']} {card['version']}"

    print(_with_extra(run))


def _finite(node: Any) -> Any:
    """``node`` with None for what could not be measured: JSON has no NaN."""
    if isinstance(node, dict):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and math.isnan(node) else node


def _with_extra(run: Callable[[], R]) -> R:
    """``run()``; what is missing or cannot be read ends with one line."""
    from streamwatch.errors import StreamwatchError

    try:
        return run()
    except ModuleNotFoundError as error:
        print(f"streamwatch: {error.name} is missing: pip install 'streamwatch[train]'", file=sys.stderr)
    except (FileNotFoundError, StreamwatchError) as error:
        print(f"streamwatch: {error}", file=sys.stderr)
    raise typer.Exit(EXIT_FAILED)

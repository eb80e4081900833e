"""How far something has come, on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["progress"]

MEDIA = 1e8  # seconds; above it is UTC, of which only the time since the first is shown


@contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """Gives a function that takes seconds of media or event time; shows how many of ``what`` have passed.

    Silent where stderr is no terminal.
    """
    if not sys.stderr.isatty():
        yield lambda seconds: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn(f"{{task.completed:.0f}} s of {what}"), TimeElapsedColumn())
    first: list[float] = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(seconds: float) -> None:
            if not first:
                first.append(seconds if seconds > MEDIA else 0.0)
            bar.update(task, completed=seconds - first[0])

        yield show

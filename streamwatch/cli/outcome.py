"""How a command ends: its exit code, and one clear message."""

import sys
from typing import NoReturn

import typer

from streamwatch.errors import ConfigError, PackError, PortInUseError, ProviderError, StreamwatchError

__all__ = ["EXIT_CONFIG", "EXIT_FAILED", "fail", "fail_without_matplotlib"]

EXIT_FAILED = 1
EXIT_CONFIG = 78  # sysexits.h EX_CONFIG: a service manager must not restart in a loop


def fail(error: StreamwatchError) -> NoReturn:
    """One clear message, and an exit code that tells a service manager whether to try again."""
    for line in str(error).splitlines() or [type(error).__name__]:
        print(f"streamwatch: {line}", file=sys.stderr)
    wrong_setup = isinstance(error, ConfigError | PackError | ProviderError | PortInUseError)
    raise typer.Exit(EXIT_CONFIG if wrong_setup else EXIT_FAILED)


def fail_without_matplotlib(error: ModuleNotFoundError) -> NoReturn:
    """Say which extra is missing; any other module that is missing is our fault and is raised."""
    if error.name != "matplotlib":
        raise error
    fail(ConfigError("--plot needs matplotlib: pip install 'streamwatch[plot]'"))

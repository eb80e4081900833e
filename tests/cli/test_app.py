"""All commands in one place."""

import subprocess
import sys
import time

from tests.cli.command import streamwatch


def test_help_is_quick_and_names_the_commands() -> None:
    assert streamwatch("--help").returncode == 0
    began = time.monotonic()
    found = streamwatch("--help")
    assert time.monotonic() - began < 3  # 0.3 s on an idle machine
    assert all(command in found.stdout for command in ("run", "check", "demo", "detect"))


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from streamwatch.cli.app import app;"
        "CliRunner().invoke(app, ['--help']);"
        "print([m for m in ('numpy', 'cv2', 'av', 'onnxruntime', 'paho', 'pydantic', 'torch') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"


def test_version() -> None:
    import streamwatch as package

    assert streamwatch("--version").stdout.strip() == package.__version__

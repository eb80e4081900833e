"""The two phases of a whole run: each test in one of them."""

from pathlib import Path

import pytest

from tests.conftest import ALONE, HERE, belongs

FILES = sorted(HERE.rglob("test_*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(HERE)) for path in FILES])
def test_a_file_and_the_folders_above_it_are_in_one_phase(path: Path) -> None:
    above = [folder for folder in path.parents if HERE in folder.parents]
    found = [phase for phase in ("together", "alone") if all(belongs(part, phase) for part in (path, *above))]
    assert len(found) == 1


@pytest.mark.parametrize("line", sorted(ALONE), ids=str)
def test_the_table_names_what_there_is(line: Path) -> None:
    assert (HERE / line).exists()
    assert belongs(HERE / line, "alone") and not belongs(HERE / line, "together")


def test_neighbours_are_apart() -> None:
    assert belongs(HERE / "video" / "test_window.py", "together")
    assert belongs(HERE / "video" / "test_camera.py", "alone")
    assert belongs(HERE / "faults" / "test_kills.py", "alone")
    assert belongs(HERE / "video", "together") and belongs(HERE / "video", "alone")

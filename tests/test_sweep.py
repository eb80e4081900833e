"""The picture of a sweep."""

from pathlib import Path

from streamwatch.sweep import draw_sweep


def test_each_rule_is_a_line_in_the_picture(tmp_path: Path) -> None:
    levels = [
        {"rule": rule, "on": on, "firings": 3, "per_day": 30.0 * (1 - on)}
        for rule in ("fall", "fight")
        for on in (0.1, 0.9)
    ]
    draw_sweep(levels, tmp_path / "sweep.svg")
    text = (tmp_path / "sweep.svg").read_text()
    assert all(f">{word}<" in text for word in ("fall", "fight", "threshold (on)", "incidents a camera-day"))


def test_nothing_to_sweep_is_an_empty_picture(tmp_path: Path) -> None:
    draw_sweep([], tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")

"""The ways that streamwatch is compared with."""

import sys

import pytest

from tests.bench import peers


def test_a_way_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["peers", "--only", "opencv,open-cv"])
    with pytest.raises(SystemExit) as ended:
        peers.main()
    assert ended.value.code == 2
    assert "open-cv is none of opencv, opencv-whole, inference, streamwatch" in capsys.readouterr().err

"""Packs: what the card says is what runs, or nothing runs."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamwatch.errors import PackError
from streamwatch.models.pack import CARD, REQUIRED_FILES, load_pack

BUNDLED = load_pack("bundled").path


def card_of(path: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((path / CARD).read_text())
    return card


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of the bundled pack, to be spoiled."""
    return Path(shutil.copytree(BUNDLED, tmp_path / "pack"))


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    card = card_of(path)
    change(card)
    (path / CARD).write_text(json.dumps(card))


def test_the_bundled_pack_is_whole_and_small() -> None:
    pack = load_pack("bundled")
    assert list(pack.card.events) == ["fight", "fall", "shoplifting"]
    assert set(REQUIRED_FILES) <= set(pack.card.files)
    assert pack.info.sha256 == hashlib.sha256((BUNDLED / CARD).read_bytes()).hexdigest()
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) <= 30e6
    assert all(event.off < event.on for event in pack.card.events.values())


def test_the_bundled_card_says_where_it_comes_from_and_what_was_measured() -> None:
    card = card_of(BUNDLED)
    assert card["data"]
    assert card["licences"]
    assert card["measured"]
    assert card["limits"]


def test_the_bundled_graphs_name_no_file_of_the_machine_that_made_them() -> None:
    for path in BUNDLED.glob("*.onnx"):
        data = path.read_bytes()
        assert b'.py", line' not in data  # as stack traces are written
        assert b"site-packages" not in data


def test_a_folder_is_named(pack: Path) -> None:
    assert load_pack(str(pack)).card == load_pack("bundled").card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(schema="streamwatch.pack/9"), "schema"),
        (lambda c: c.pop("size"), "size"),
        (lambda c: c.update(size=7), "size"),
        (lambda c: c.update(stride_seconds=2.0), "stride_seconds: must be a multiple of 0.125 s"),
        (lambda c: c.update(stride_seconds=0.3), "stride_seconds: must be a multiple of 0.125 s"),
        (lambda c: c["events"]["fight"].update(bias=float("nan")), "events.fight.bias"),
        (lambda c: c["events"]["fight"].update(scale=float("inf")), "events.fight.scale"),
        (lambda c: c["events"].update({"a/#": c["events"]["fight"]}), "a/#"),
        (lambda c: c.update(events={}), "events"),
        (lambda c: c["events"]["fight"].update(on=2), "events.fight.on"),
        (lambda c: c["events"]["fight"].pop("scale"), "events.fight.scale"),
        (lambda c: c["files"].pop("joint.onnx"), "joint.onnx not listed"),
        (lambda c: c["files"].update({"../x": "0" * 64}), "not a plain file name"),
        (lambda c: c["files"].update({"joint.onnx": "0" * 64}), "the file was altered"),
        (lambda c: c["files"].update({"more.onnx": "0" * 64}), "more.onnx: cannot be read"),
    ],
)
def test_a_wrong_card_is_refused_with_file_and_path(
    pack: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    rewrite(pack, change)
    with pytest.raises(PackError, match="pack") as caught:
        load_pack(str(pack))
    assert message in str(caught.value)
    assert str(pack) in str(caught.value)


def test_a_missing_pack_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"none/card.json: cannot be read"):
        load_pack(str(tmp_path / "none"))


def test_no_json_is_refused(pack: Path) -> None:
    (pack / CARD).write_bytes(b"\xff{")
    with pytest.raises(PackError, match="not valid JSON"):
        load_pack(str(pack))


def test_tensors_in_other_files_are_refused(pack: Path) -> None:
    data = (pack / "joint.onnx").read_bytes() + b"\x0a\x08location\x12\x05a.bin"
    (pack / "joint.onnx").write_bytes(data)
    rewrite(pack, lambda c: c["files"].update({"joint.onnx": hashlib.sha256(data).hexdigest()}))
    with pytest.raises(PackError, match="keeps tensors in other files"):
        load_pack(str(pack))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(name=st.sampled_from([*REQUIRED_FILES, CARD]), at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_overlooked(pack: Path, name: str, at: float, bit: int) -> None:
    """In a data file it breaks the hash; in the card it is either refused or gives another identity."""
    whole = (pack / name).read_bytes()
    spoiled = bytearray(whole)
    spoiled[int(at * len(whole))] ^= 1 << bit
    (pack / name).write_bytes(spoiled)
    try:
        found = load_pack(str(pack)).info.sha256
        assert name == CARD
        assert found != hashlib.sha256(whole).hexdigest()
    except PackError as error:
        assert str(pack) in str(error)
    finally:
        (pack / name).write_bytes(whole)

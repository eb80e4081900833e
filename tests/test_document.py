"""YAML in: capped, 1.2, with the environment."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamwatch.document import MAX_BYTES, nearest, parse_document, read_document
from streamwatch.errors import ConfigError


def parse(text: str, **environ: str) -> object:
    return parse_document(text, "f.yml", environ)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 22:22", {"a": "22:22"}),  # YAML 1.1: 1342
        ("a: no", {"a": "no"}),  # YAML 1.1: False
        ("a: [1, 2.5, true, null]", {"a": [1, 2.5, True, None]}),
        ("", None),
    ],
)
def test_reads_yaml_1_2(text: str, value: object) -> None:
    assert parse(text) == value


def test_puts_the_environment_in() -> None:
    assert parse('a: x${HOST}y${HOST}\nb: ["${N}"]', HOST="h", N="3") == {"a": "xhyh", "b": ["3"]}


def test_leaves_other_dollars_alone() -> None:
    assert parse("a: $HOST ${} $$") == {"a": "$HOST ${} $$"}


def test_names_a_missing_variable_and_its_place() -> None:
    with pytest.raises(ConfigError, match=r"f.yml: cameras\[0\].url: environment variable DOCK is not set"):
        parse("cameras: [{url: 'rtsp://u:${DOCK}@h'}]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "duplicate key"),
        ("a: [1", "line 1"),
        ("a: !!python/object:os.system x", "constructor"),
        ("[" * 100 + "]" * 100, "nested deeper"),
        ("a: &x 1\nb: [" + ", ".join(["*x"] * 65) + "]", "aliases"),
        ("a: 2026-13-45", "month|valid"),
        ("{[{}]: 1}", "not valid YAML"),
        ("? {[{}]}\n: 1", "not valid YAML"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(text)
    assert str(caught.value).startswith("f.yml: ")


def test_refuses_an_alias_bomb_before_it_grows() -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="aliases"):
        parse("\n".join(lines))


def test_refuses_files_that_are_missing_large_or_binary(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_document(tmp_path / "none.yml", {})
    (tmp_path / "large.yml").write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="at most"):
        read_document(tmp_path / "large.yml", {})
    (tmp_path / "binary.yml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_document(tmp_path / "binary.yml", {})


@given(st.text(max_size=200))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        assert str(error).startswith("f.yml: ")


def test_nearest_word() -> None:
    assert nearest("camras", ["cameras", "rules"]) == "; did you mean 'cameras'?"
    assert nearest("xyz", ["cameras"]) == ""


@pytest.mark.parametrize("second", ["&x 2", "&x [2]", "&x {b: 2}"])
def test_an_anchor_set_twice_is_refused(second: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.yml: line 2: anchor &x is set twice"):
        parse_document(f"a: &x 1\nb: {second}\n", "a.yml", {})

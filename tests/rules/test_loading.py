"""Files and folders of rules."""

import logging
from pathlib import Path

import pytest

from streamwatch.errors import RuleError
from streamwatch.rules.loading import load_rules, rule_files
from tests.rules.play import SITE

SHIPPED = Path(__file__).parent.parent.parent / "rules"
TEXT = "rules:\n  - {{alert: {}, when: {{event: fall, on: 0.8, off: 0.6}}}}\n"


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(TEXT.format(Path(name).stem.replace(".", "_")))


def test_a_folder_stands_for_its_rules_without_their_tests(tmp_path: Path) -> None:
    write(tmp_path, "b.yml", "a.yml", "a.test.yml", "notes.txt")
    assert [path.name for path in rule_files([tmp_path])] == ["a.yml", "b.yml"]
    assert [rule.name for rule in load_rules([tmp_path], SITE)] == ["a", "b"]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "a.yml")
    (tmp_path / "deep").mkdir()
    assert len(load_rules([tmp_path / "a.yml", tmp_path, tmp_path / "deep" / ".." / "a.yml"], SITE)) == 1


@pytest.mark.parametrize(("name", "said"), [("gone.yml", "no such file or folder"), ("", r"holds no \*\.yml")])
def test_refuses_what_is_not_there(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        load_rules([tmp_path / name], SITE)


def test_an_alert_name_is_used_once_over_all_files(tmp_path: Path) -> None:
    write(tmp_path, "a.yml")
    (tmp_path / "b.yml").write_text(TEXT.format("a"))
    with pytest.raises(RuleError, match=r"b\.yml: rules\[0\]\.alert: name 'a' is already used by .*a\.yml: rules\[0\]"):
        load_rules([tmp_path], SITE)


def test_faults_of_all_files_are_named_together(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("rules: [")
    (tmp_path / "b.yml").write_text("rules:\n  - {alert: b, when: {event: fal, on: 0.8}}\n")
    with pytest.raises(RuleError) as caught:
        load_rules([tmp_path], SITE)
    first, second = str(caught.value).splitlines()
    assert "a.yml: line" in first
    assert "b.yml: rules[0].when.event: the model scores no event 'fal'; did you mean 'fall'" in second


def test_a_rule_for_cameras_of_others_is_only_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.yml").write_text("rules:\n  - {alert: a, cameras: ['gym-*'], when: {event: fall, on: 0.8}}\n")
    with caplog.at_level(logging.WARNING):
        assert load_rules([tmp_path], SITE)
    assert "rule a watches no camera: none matches gym-*" in caplog.text


@pytest.mark.parametrize("path", rule_files([SHIPPED]), ids=lambda path: path.name)
def test_every_shipped_file_loads(path: Path) -> None:
    for rule in load_rules([path], SITE):
        assert rule.cameras == ("*",)
        assert 0 < rule.hold <= 5
        assert rule.keep_firing_for


def test_the_examples_load_and_no_name_is_used_twice() -> None:
    assert load_rules([SHIPPED, SHIPPED / "examples"], SITE)


def test_the_shipped_folder_covers_the_three_events() -> None:
    assert {rule.name for rule in load_rules([SHIPPED], SITE)} >= {"fight", "fall", "shoplifting"}

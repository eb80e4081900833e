"""Manifests: two formats, one meaning; what would spoil a figure is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from streamwatch.errors import TrainingError
from streamwatch.training.manifest import read_manifest, readable
from tests.training.films import write_film


def write_csv(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def write_jsonl(path: Path, *clips: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(clip) for clip in clips) + "\n")
    return path


def clip(number: int, **more: Any) -> dict[str, Any]:
    return {"path": f"{number}.mp4", "label": "normal", "group": f"g{number}", "split": "train", **more}


def test_both_formats_say_the_same(tmp_path: Path) -> None:
    table = write_csv(
        tmp_path / "mine.csv",
        "path,source,label,labels,annotates,group,split,seconds,licence,note\n"
        "a.mp4,door,fight,fight fall,fight fall,g1,val,2.0,MIT,seen by me\n",
    )
    (tmp_path / "mine.segments.csv").write_text(
        'path,start_s,end_s,label,caption\na.mp4,0.5,1,fall,"falls, slowly"\na.mp4,0,0.5,,two men talk\n'
    )
    lines = write_jsonl(
        tmp_path / "mine.jsonl",
        {
            **clip(0, path="a.mp4", source="door", labels=["fight", "fall"], annotates=["fight", "fall"]),
            **{"label": "fight", "group": "g1", "split": "val", "seconds": 2.0, "licence": "MIT"},
            "segments": [{"start": 0.5, "end": 1, "label": "fall", "caption": "falls, slowly"}],
            "captions": [{"start": 0, "end": 0.5, "text": "two men talk"}],
        },
    )
    one, two = read_manifest(table), read_manifest(lines)
    assert one.entries == two.entries
    assert {k: sorted(v) for k, v in one.segments.items()} == two.segments
    (entry,) = one.entries
    assert (entry.label, entry.also, entry.seconds) == ("fight", ("fall",), 2.0)
    assert two.segments["a.mp4"][0] == (0.0, 0.5, "", "two men talk")
    assert one.root == tmp_path


def test_only_path_label_group_and_split_are_needed(tmp_path: Path) -> None:
    found = read_manifest(write_csv(tmp_path / "clips.csv", "path,label,group,split\na.mp4,normal,g,train\n"))
    assert (found.entries[0].source, found.entries[0].annotates, found.segments) == ("own", None, {})


def test_segments_lie_beside_clips_csv(tmp_path: Path) -> None:
    (tmp_path / "segments.csv").write_text("path,start_s,end_s,label,caption\na.mp4,1,2,fall,\n")
    found = read_manifest(write_csv(tmp_path / "clips.csv", "path,label,group,split\na.mp4,fall,g,train\n"))
    assert found.segments == {"a.mp4": [(1.0, 2.0, "fall", "")]}


def test_groups_that_cross_splits_are_refused_by_name(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "m.jsonl", clip(1, group="dock"), clip(2, group="dock", split="val"), clip(3))
    with pytest.raises(TrainingError, match=r"dock \(train, val\)"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"label": ""}, "has no label"),
        ({"labels": ["fight"]}, "normal, or something happens"),
        ({"label": "fight", "annotates": ["fall"]}, "'fight' is not among"),
        ({"group": ""}, "group"),
        ({"grop": "x"}, "unknown key; did you mean 'group'"),
        ({"segments": [{"start": 3, "end": 2, "label": "fall"}]}, "not after its start"),
        ({"seconds": -1}, "seconds"),
    ],
)
def test_a_wrong_clip_is_named_with_its_line(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    path = write_jsonl(tmp_path / "m.jsonl", clip(1), {**clip(2), **wrong})
    with pytest.raises(TrainingError, match="line 2") as caught:
        read_manifest(path)
    assert message in str(caught.value)


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        read_manifest(tmp_path / "none.csv")
    with pytest.raises(TrainingError, match="names no clips"):
        read_manifest(write_csv(tmp_path / "empty.csv", "path,label,group,split\n"))
    with pytest.raises(TrainingError, match="line 1: not JSON"):
        read_manifest(write_csv(tmp_path / "bad.jsonl", "{path: 1}\n"))
    with pytest.raises(TrainingError, match="named twice"):
        read_manifest(write_jsonl(tmp_path / "twice.jsonl", clip(1), clip(1)))
    with pytest.raises(TrainingError, match=r"line 2: .*no label"):
        read_manifest(write_csv(tmp_path / "short.csv", "path,group,split\na.mp4,g,train\n"))


def test_what_cannot_be_read_is_named_and_the_rest_is_timed(tmp_path: Path) -> None:
    write_film(tmp_path / "1.mp4", seconds=1.5)
    (tmp_path / "2.mp4").write_bytes(write_film(tmp_path / "x.mp4").read_bytes()[:300])
    path = write_jsonl(tmp_path / "m.jsonl", clip(1), clip(2), clip(3))
    found, wrong = readable(read_manifest(path))
    assert [entry.path for entry in found.entries] == ["1.mp4"]
    assert found.entries[0].seconds == pytest.approx(1.5, abs=0.1)
    assert [line.partition(":")[0] for line in wrong] == ["2.mp4", "3.mp4"]


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="none of 1 clips"):
        readable(read_manifest(write_jsonl(tmp_path / "m.jsonl", clip(1))))


def test_a_part_can_be_taken(tmp_path: Path) -> None:
    found = read_manifest(write_jsonl(tmp_path / "m.jsonl", clip(1), clip(2, split="val")))
    assert [e.path for e in found.only(lambda e: e.split == "val").entries] == ["2.mp4"]


def test_the_example_of_the_readme_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
    block = next(b for b in text.split("```json\n")[1:] if "annotates" in b.partition("```")[0]).partition("```")[0]
    found = read_manifest(write_jsonl(tmp_path / "m.jsonl", json.loads(block)))
    assert found.entries[0].also == ("fall",)

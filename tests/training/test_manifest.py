"""Manifests: two formats, one meaning; what would spoil a figure is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from streamwatch.errors import TrainingError
from streamwatch.training.manifest import read_manifest, readable, remarks, require_split
from tests.training.films import write_empty_film, write_film


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


def test_a_video_without_a_picture_is_not_readable(tmp_path: Path) -> None:
    write_film(tmp_path / "1.mp4")
    write_empty_film(tmp_path / "2.mp4")
    found, wrong = readable(read_manifest(write_jsonl(tmp_path / "m.jsonl", clip(1), clip(2))))
    assert [entry.path for entry in found.entries] == ["1.mp4"]
    assert wrong == ["2.mp4: 2.mp4 holds video of which no picture can be decoded"]


def with_times(folder: Path, text: str) -> Path:
    """Twelve falls and a fight to train on, a fall to measure; ``text`` tells their times."""
    rows = [f"{number}.mp4,fall,g{number},train" for number in range(12)]
    rows += ["f.mp4,fight,gf,train", "v.mp4,fall,gv,val"]
    (folder / "segments.csv").write_text(text)
    return write_csv(folder / "clips.csv", "\n".join(["path,label,group,split", *rows]) + "\n")


def test_times_of_clips_that_are_not_named_are_counted(tmp_path: Path) -> None:
    strays = "".join(f"other/{number}.mp4,1,2,fall\n" for number in range(12))
    own = "".join(f"{number}.mp4,1,2,fall\n" for number in range(12)) + "f.mp4,1,2,fight\n"
    (line,) = remarks(read_manifest(with_times(tmp_path, f"path,start_s,end_s,label\n{own}{strays}")))
    assert "12 of 25 paths with times are no clip's" in line
    assert "other/0.mp4" in line and "other/9.mp4 and 2 more" in line and "other/10.mp4" not in line


def test_times_that_fit_no_clip_at_all_are_refused(tmp_path: Path) -> None:
    path = with_times(tmp_path, "path,start_s,end_s,label\n./0.mp4,1,2,fall\n")
    with pytest.raises(TrainingError, match=r"none of the 1 paths .* e\.g\. \./0\.mp4; clips are named like 0\.mp4"):
        read_manifest(path)


def test_what_clips_without_times_teach_is_said_of_those_that_are_learnt(tmp_path: Path) -> None:
    fall, fight = reversed(remarks(read_manifest(with_times(tmp_path, "path,start_s,end_s,label\n1.mp4,1,2,fall\n"))))
    assert "11 of 12 clips with fall to train on have no times of it, e.g. 0.mp4" in fall
    assert "nothing is learnt about falls" in fall
    assert "1 of 1 clips with fight" in fight and "each of their seconds counts as the event" in fight


@pytest.mark.parametrize(
    ("head", "lacking"), [("path,start,end_s,label", "start_s"), ("path;start_s", "path, start_s, end_s, label")]
)
def test_a_column_that_times_lack_is_named(tmp_path: Path, head: str, lacking: str) -> None:
    path = with_times(tmp_path, f"{head}\n0.mp4,1,2,fall\n")
    with pytest.raises(TrainingError, match=rf"segments\.csv: lacks the columns {lacking}; its first line has path"):
        read_manifest(path)


def test_a_file_of_times_may_be_empty(tmp_path: Path) -> None:
    assert read_manifest(with_times(tmp_path, "")).segments == {}


def test_a_split_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    given = [clip(1, split="training"), clip(2, split="training"), clip(3, split="val")]
    found = read_manifest(write_jsonl(tmp_path / "m.jsonl", *given))
    with pytest.raises(TrainingError, match=r"'train'; there are training \(2\), val \(1\); did you mean 'training'"):
        require_split(found, "train")
    assert [entry.path for entry in require_split(found, "val")] == ["3.mp4"]


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

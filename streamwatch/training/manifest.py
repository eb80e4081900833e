"""Which clips there are and what is known of each: a CSV or a JSONL file, the clips named relative to it.

CSV has a row a clip: ``path``, ``label``, ``group``, ``split`` and, if known, ``source``, ``labels``, ``annotates``
(both separated by spaces), ``seconds``, ``licence``; other columns are not looked at. Times and captions stand beside
it in ``segments.csv`` (``path``, ``start_s``, ``end_s``, ``label``, ``caption``), or ``<name>.segments.csv`` where the
manifest is not ``clips.csv``. JSONL has an object a clip, with ``segments`` and ``captions`` in it:

    {"path": "door/1.mp4", "source": "door", "labels": ["fight"], "group": "door-cam", "split": "train",
     "annotates": ["fight", "fall"], "segments": [{"start": 3.5, "end": 9, "label": "fight"}],
     "captions": [{"start": 0, "end": 3, "text": "two men talk"}]}

``group`` is what must not be on both sides of a split: one camera, room or actor. ``annotates`` names the events that
whoever labelled the clip looked for; of others nothing is known, neither yes nor no. Left out: all were looked for.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import av
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from streamwatch.config import explain
from streamwatch.document import nearest
from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry, Segment

__all__ = ["MAX_NAMED", "Manifest", "check_groups", "read_manifest", "readable", "remarks", "require_split"]

NORMAL = "normal"
MAX_NAMED = 10
TIMES = ("path", "start_s", "end_s", "label")  # columns that segments.csv must have
UNTIMED = {  # what a clip teaches of an event that it shows at times which are not told
    "fight": "each of their seconds counts as the event",
    "fall": "of their seconds nothing is learnt about falls",
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """``segments`` (start, end in seconds, label, caption) by the path of their entry; captions without an event have
    the label ``""``. ``root`` is the folder that the paths start from."""

    path: Path
    entries: list[Entry]
    segments: dict[str, list[Segment]]

    @property
    def root(self) -> Path:
        return self.path.parent

    def only(self, wanted: Callable[[Entry], bool]) -> "Manifest":
        return replace(self, entries=[entry for entry in self.entries if wanted(entry)])


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Span(_Strict):
    start: Annotated[float, Field(ge=0)]
    end: float
    label: str = ""
    caption: str = ""
    text: str = ""

    @model_validator(mode="after")
    def _forwards(self) -> "_Span":
        if self.end <= self.start:
            raise ValueError(f"ends at {self.end}, not after its start at {self.start}")
        return self


class _Clip(_Strict):
    path: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)] = "own"
    label: str = ""
    labels: list[str] = []
    group: Annotated[str, Field(min_length=1)]
    split: Annotated[str, Field(min_length=1)]
    annotates: list[str] | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None
    licence: str = ""
    segments: list[_Span] = []
    captions: list[_Span] = []

    @model_validator(mode="after")
    def _says_what_it_was_looked_at_for(self) -> "_Clip":
        named = [*([self.label] if self.label else []), *self.labels]
        if not named:
            raise ValueError("has no label; a clip in which nothing happens has the label 'normal'")
        if NORMAL in named and len(set(named)) > 1:
            raise ValueError(f"labels {named}: normal, or something happens")
        unlooked = set(named) - {NORMAL} - set(named if self.annotates is None else self.annotates)
        if unlooked:
            raise ValueError(f"label {min(unlooked)!r} is not among what it annotates: {self.annotates}")
        return self

    def entry(self) -> Entry:
        labels = tuple(dict.fromkeys([*([self.label] if self.label else []), *self.labels]))
        known = None if self.annotates is None else frozenset(self.annotates)
        seconds = self.seconds or 0.0
        return Entry(
            self.path, self.source, labels[0], self.group, self.split, seconds, self.licence, labels[1:], known
        )

    def spans(self) -> list[Segment]:
        told = [(s.start, s.end, s.label, s.caption or s.text) for s in (*self.segments, *self.captions)]
        return sorted(told)


def read_manifest(path: Path) -> Manifest:
    """The clips that ``path`` names, ``.jsonl`` or CSV.

    Raises FileNotFoundError, and TrainingError for rows that are wrong, paths named twice, and groups that are in more
    than one split: what is learnt of a camera would be measured on the same camera.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such manifest")
    rows = list(_lines(path) if path.suffix == ".jsonl" else _rows(path))
    clips = [_parsed(row, f"{path}: line {number}") for number, row in rows]
    if not clips:
        raise TrainingError(f"{path}: names no clips")
    entries = [clip.entry() for clip in clips]
    segments = {clip.path: spans for clip in clips if (spans := clip.spans())}
    if path.suffix != ".jsonl":
        segments |= _read_segments(path)
    _refuse_repeats(path, entries)
    check_groups(entries, path)
    found = Manifest(path, entries, segments)
    if segments and len(_astray(found)) == len(segments):
        raise TrainingError(
            f"{path}: none of the {len(segments)} paths for which there are times is the path of a clip, e.g. "
            f"{next(iter(segments))}; clips are named like {entries[0].path}"
        )
    return found


def _astray(manifest: Manifest) -> list[str]:
    """Paths with times that no clip has."""
    paths = {entry.path for entry in manifest.entries}
    return [path for path in manifest.segments if path not in paths]


def remarks(manifest: Manifest) -> list[str]:
    """What is no fault, but may not be meant: times of clips that are not named, and clips of the split ``train`` that
    show an event at times which are not told. A line each, with counts."""
    found = []
    if astray := _astray(manifest):
        more = f" and {len(astray) - MAX_NAMED} more" if len(astray) > MAX_NAMED else ""
        found.append(
            f"{manifest.path}: {len(astray)} of {len(manifest.segments)} paths with times are no clip's and go unused: "
            f"{', '.join(astray[:MAX_NAMED])}{more}"
        )
    for event, meaning in UNTIMED.items():
        shown = [e for e in manifest.entries if e.split == "train" and e.shows(event)]
        untimed = [e for e in shown if not any(s[2] == event for s in manifest.segments.get(e.path, ()))]
        if untimed:
            found.append(
                f"{manifest.path}: {len(untimed)} of {len(shown)} clips with {event} to train on have no times of it, "
                f"e.g. {untimed[0].path}: {meaning}"
            )
    return found


def require_split(manifest: Manifest, split: str) -> list[Entry]:
    """The clips of ``split``. Raises TrainingError, naming the splits there are, if it has none."""
    chosen = [entry for entry in manifest.entries if entry.split == split]
    if not chosen:
        counts = Counter(entry.split for entry in manifest.entries)
        there = ", ".join(f"{name} ({count})" for name, count in sorted(counts.items()))
        raise TrainingError(f"{manifest.path}: no clips in split {split!r}; there are {there}{nearest(split, counts)}")
    return chosen


def _rows(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        table = csv.DictReader(file)
        known = set(_Clip.model_fields) - {"segments", "captions"}
        for row in table:
            given = {name: value for name, value in row.items() if name in known and value}
            split = {name: given[name].split() for name in ("labels", "annotates") if name in given}
            yield table.line_num, {**given, **split}


def _lines(path: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except json.JSONDecodeError as error:
                    raise TrainingError(f"{path}: line {number}: not JSON: {error.msg}") from error


def _parsed(row: Mapping[str, Any], where: str) -> _Clip:
    try:
        return _Clip.model_validate(row)
    except ValidationError as error:
        raise TrainingError(explain(error, where, _Clip)) from None


def _read_segments(path: Path) -> dict[str, list[Segment]]:
    beside = path.with_name("segments.csv" if path.name == "clips.csv" else f"{path.stem}.segments.csv")
    found: dict[str, list[Segment]] = {}
    if beside.is_file():
        with beside.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            _refuse_lacking(beside, table.fieldnames or ())
            for row in table:
                given = {"start": row["start_s"], "end": row["end_s"], "label": row["label"] or ""}
                try:
                    span = _Span.model_validate({**given, "caption": row.get("caption") or ""})
                except ValidationError as error:
                    raise TrainingError(explain(error, f"{beside}: line {table.line_num}", _Span)) from None
                found.setdefault(row["path"], []).append((span.start, span.end, span.label, span.caption))
    return found


def _refuse_lacking(beside: Path, columns: Sequence[str]) -> None:
    lacking = [name for name in TIMES if name not in columns]
    if lacking and columns:  # an empty file tells of no times
        raise TrainingError(
            f"{beside}: lacks the columns {', '.join(lacking)}; its first line has {', '.join(columns)}"
        )


def _refuse_repeats(path: Path, entries: Iterable[Entry]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.path in seen:
            raise TrainingError(f"{path}: {entry.path} is named twice")
        seen.add(entry.path)


def check_groups(entries: Iterable[Entry], where: Path) -> None:
    """Raises TrainingError for groups of which clips are in more than one split."""
    splits: dict[str, set[str]] = {}
    for entry in entries:
        splits.setdefault(entry.group, set()).add(entry.split)
    torn = [f"{group} ({', '.join(sorted(names))})" for group, names in sorted(splits.items()) if len(names) > 1]
    if torn:
        more = f" and {len(torn) - MAX_NAMED} more" if len(torn) > MAX_NAMED else ""
        raise TrainingError(
            f"{where}: groups in more than one split: {', '.join(torn[:MAX_NAMED])}{more}; "
            "what is learnt of a camera or an actor must not be measured on it"
        )


def readable(manifest: Manifest) -> tuple[Manifest, list[str]]:
    """The clips that open and hold a picture, their seconds put in where the manifest has none; and what is wrong with
    each of the others. Raises TrainingError if none is left."""
    kept, wrong = [], []
    for entry in manifest.entries:
        try:
            seconds = _seconds(manifest.root / entry.path)
        except (OSError, av.error.FFmpegError) as error:
            wrong.append(f"{entry.path}: {getattr(error, 'strerror', None) or error}")
            continue
        kept.append(entry if entry.seconds else replace(entry, seconds=seconds))
    if not kept:
        raise TrainingError(f"{manifest.path}: none of {len(wrong)} clips can be read, e.g. {wrong[0]}")
    return replace(manifest, entries=kept), wrong


def _seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise OSError(f"{path.name} holds no video")
        if next(iter(container.decode(video=0)), None) is None:
            raise OSError(f"{path.name} holds video of which no picture can be decoded")
        stream = container.streams.video[0]
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base

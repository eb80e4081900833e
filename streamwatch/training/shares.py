"""How much each clip counts for each event."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamwatch.training.data import Entry
from streamwatch.training.evaluate import homes
from streamwatch.training.events import EVENTS
from streamwatch.training.recipe import Recipe

__all__ = ["share_table"]


def share_table(entries: Sequence[Entry], recipe: Recipe) -> NDArray[np.float64]:
    """[n, E]: clips of a source that shows the event count whole, others as the recipe says. Falls are not asked for
    where people fight: linear heads cannot keep the two apart, the transformer can."""
    found = np.empty((len(entries), len(EVENTS)))
    for column, event in enumerate(EVENTS):
        shown = homes(entries, event)
        found[:, column] = [recipe.shares.of(e.source, event, e.source in shown) for e in entries]
    fights = [i for i, entry in enumerate(entries) if entry.shows("fight")]
    found[fights, EVENTS.index("fall")] = 0.0
    return found

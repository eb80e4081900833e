"""Windows: newest last, part-filled, holes, never more than there is."""

import numpy as np

from streamwatch.training.events import EVENTS
from streamwatch.training.windows import Stream, draw_batch, every_window


def stream(label: str, length: int, value: float) -> Stream:
    labels = np.zeros((length, len(EVENTS)), np.float32)
    if label in EVENTS:
        labels[:, EVENTS.index(label)] = 1
    return Stream(np.full((length, 5), value, np.float32), labels, label, f"group {label}", label, labels[0])


STREAMS = [stream("normal", 20, 1.0), stream("fight", 2, 2.0), stream("fall", 4, 3.0), stream("shoplifting", 10, 4.0)]


def test_live_windows_fill_from_the_newest_slot() -> None:
    tokens = np.arange(5, dtype=np.float32)[:, None] + 1
    visual, age, mask = every_window(tokens, 3)
    assert visual[:, :, 0].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert mask.sum(1).tolist() == [1, 2, 3, 3, 3]
    assert age[0].tolist() == [2, 1, 0]


def test_drawn_windows_are_consistent() -> None:
    batch = draw_batch(STREAMS, 200, 8, np.random.default_rng(0))
    assert batch.visual.shape == (200, 8, 5)
    assert (batch.mask[:, -1] == 1).all(), "the newest second is always there"
    assert (batch.visual[batch.mask == 0] == 0).all()
    newest = batch.visual[:, -1, 0]
    assert (batch.now[newest == 2.0, 0] == 1).all(), "a window that ends in a fight is a fight"
    assert not (batch.now[newest == 1.0, 0] == 1).any(), "a fight that is over is not one"


def test_drawn_windows_show_every_situation() -> None:
    batch = draw_batch(STREAMS, 300, 8, np.random.default_rng(1))
    filled = batch.mask.sum(1)
    assert {1, 8} <= set(filled.astype(int).tolist())
    newest, before = batch.visual[:, -1, 0], batch.visual[:, 0, 0]
    assert ((newest == 2.0) & (before == 1.0)).any(), "normal life, then a fight"
    assert ((newest == 1.0) & (batch.visual == 2.0).any((1, 2))).any(), "a fight, then normal life"
    assert {"normal", "fight", "fall", "shoplifting"} == set(batch.labels)


def test_the_same_seed_draws_the_same_windows() -> None:
    one, two = (draw_batch(STREAMS, 20, 8, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one.visual, two.visual)
    assert np.array_equal(one.now, two.now, equal_nan=True)


def test_windows_are_drawn_of_what_there_is() -> None:
    batch = draw_batch(STREAMS[:2], 50, 8, np.random.default_rng(0))
    assert set(batch.labels) == {"normal", "fight"}
    assert set(draw_batch(STREAMS[:1], 10, 8, np.random.default_rng(0)).labels) == {"normal"}

"""Batch sizes: the smallest that holds them, and rows that change nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streamwatch.models.bucket import BUCKETS, bucket, max_batch, padded


@pytest.mark.parametrize(
    ("count", "size"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (9, 16), (16, 16), (17, 32), (32, 32)]
)
def test_the_smallest_that_holds_them(count: int, size: int) -> None:
    assert bucket(count) == size


@pytest.mark.parametrize("count", [0, -1, 33])
def test_what_fits_in_none_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match="a batch of"):
        bucket(count)


def test_a_cpu_is_given_few_clips_at_once_and_a_gpu_its_largest_bucket() -> None:
    assert [max_batch(provider) for provider in ("cpu", "cuda", "tensorrt")] == [4, BUCKETS[-1], BUCKETS[-1]]


@pytest.mark.parametrize(("threads", "clips"), [(1, 4), (2, 4), (3, 6), (4, 4), (5, 5), (8, 8)])
def test_no_thread_is_without_a_clip(threads: int, clips: int) -> None:
    assert max_batch("cpu", threads) == clips
    assert max_batch("cuda", threads) == BUCKETS[-1]


def test_the_last_row_is_repeated() -> None:
    feeds: dict[str, NDArray[np.generic]] = {
        "a": np.array([[1, 2], [3, 4], [5, 6]], np.float32),
        "b": np.array([7, 8, 9], np.uint8),
    }
    full = padded(feeds, 4)
    assert full["a"].tolist() == [[1, 2], [3, 4], [5, 6], [5, 6]]
    assert full["b"].tolist() == [7, 8, 9, 9]
    assert [full[name].dtype.name for name in "ab"] == ["float32", "uint8"]


def test_a_full_batch_is_not_copied() -> None:
    rows = np.zeros((4, 2), np.float32)
    assert padded({"a": rows}, 4)["a"] is rows

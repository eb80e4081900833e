"""A graph on a GPU: its inputs and outputs have fixed places there, one set for each batch size."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import InferenceError
from streamwatch.models.bucket import BUCKETS, bucket, padded
from streamwatch.models.session import translated

__all__ = ["BoundGraph"]

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}

Feeds = Mapping[str, NDArray[Any]]


class BoundGraph:
    """Runs ``session`` in buckets of 1, 2, 4 … 32 rows; gives ``outputs``, and computes no copies of others.

    What crosses the bus, for a camera-second at 288², 8 frames: 1,990,656 bytes of pictures up, straight from the batch
    that the host stacks (once more on the host where a bucket is part-filled); token 1,536 and motion 324 bytes
    down, and the grid's 124,416 only where zones read it; the window, 26,244 bytes, up again. Tokens could stay on the
    device, and do not: they are 0.1 % of the traffic, and still pictures, holes and zones are decided on the host.

    ``device``: cuda, or cpu, where the same bindings work. ``cuda_graph``: each bucket's kernels are recorded once,
    under the bucket's size as id, and replayed; this needs the fixed places. ONNX Runtime records for each thread.
    """

    def __init__(self, session: Any, outputs: Sequence[str], device: str = "cuda", cuda_graph: bool = False) -> None:
        self._session = session
        self._outputs = [found for name in outputs for found in session.get_outputs() if found.name == name]
        self._device = device
        self._cuda_graph = cuda_graph
        self._slots: dict[int, _Slot] = {}

    def warm_up(self, row: Feeds, alive: Callable[[], None] = lambda: None) -> None:
        """Run every bucket with copies of ``row``, so that none is chosen, laid out or recorded while clips wait: to be
        called by the thread that will run it. ``alive`` shows that it moves. Raises InferenceError.
        """
        for size in reversed(BUCKETS):  # the largest first: the arena then holds all others
            alive()
            for _ in range(2 if self._cuda_graph else 1):  # ONNX Runtime records the second run
                self._run(padded(row, size))

    def run(self, feeds: Feeds) -> list[NDArray[Any]]:
        """The outputs for any number of rows. Raises InferenceError."""
        count, most = len(next(iter(feeds.values()))), BUCKETS[-1]
        parts = [self._run({k: x[at : at + most] for k, x in feeds.items()}) for at in range(0, count, most)]
        return parts[0] if len(parts) == 1 else [np.concatenate(rows) for rows in zip(*parts, strict=True)]

    def _run(self, feeds: Feeds) -> list[NDArray[Any]]:
        count = len(next(iter(feeds.values())))
        size = bucket(count)
        full = padded(feeds, size)
        with translated(InferenceError):
            slot = self._slots.get(size)
            if slot is None:
                slot = self._slots[size] = _Slot(self._session, full, self._outputs, self._device)
            return [rows[:count] for rows in slot.run(full, size if self._cuda_graph else None)]


class _Slot:
    """One bucket's places on the device, and their binding."""

    def __init__(self, session: Any, feeds: Feeds, outputs: Sequence[Any], device: str) -> None:
        import onnxruntime as ort

        self._session = session
        self._binding = session.io_binding()
        self._inputs: dict[str, Any] = {}
        place = ort.OrtValue.ortvalue_from_shape_and_type
        for name, rows in feeds.items():
            self._inputs[name] = value = place(rows.shape, rows.dtype.type, device, 0)
            self._binding.bind_ortvalue_input(name, value)
        size = len(next(iter(feeds.values())))
        for output in outputs:
            if output.type not in TYPES or not all(isinstance(n, int) for n in output.shape[1:]):
                raise ValueError(f"output {output.name}: {output.type} {output.shape} has no fixed place")
        self._places = [place([size, *o.shape[1:]], TYPES[o.type], device, 0) for o in outputs]
        for output, value in zip(outputs, self._places, strict=True):
            self._binding.bind_ortvalue_output(output.name, value)

    def run(self, feeds: Feeds, graph: int | None) -> list[NDArray[Any]]:
        import onnxruntime as ort

        for name, value in self._inputs.items():
            if tuple(value.shape()) != feeds[name].shape:  # as many bytes in another shape would be taken
                raise ValueError(f"{name}: {list(feeds[name].shape)} instead of {value.shape()}")
            value.update_inplace(feeds[name])
        options = None
        if graph is not None:
            options = ort.RunOptions()
            options.add_run_config_entry("gpu_graph_id", str(graph))
        self._session.run_with_iobinding(self._binding, options)
        return [np.array(value.numpy(), copy=True) for value in self._places]

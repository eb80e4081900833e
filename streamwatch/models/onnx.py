"""The pack's graphs in ONNX Runtime sessions: checked, warmed up, batched."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import InferenceError, PackError
from streamwatch.models.binding import BoundGraph
from streamwatch.models.bucket import max_batch
from streamwatch.models.calibration import calibrate
from streamwatch.models.crew import Crew, cores, crew_size
from streamwatch.models.detection import Vector
from streamwatch.models.pack import Pack
from streamwatch.models.provider import Gpu
from streamwatch.models.session import Asked, Opened, open_graph, translated

__all__ = ["Encoded", "OnnxModel"]

Encoded = tuple[Vector, Vector, Vector]
"""token float32 [B, D], grid float32 [B, D, g, g], motion float32 [B, g, g]."""
DEVICE = "cuda"  # where ONNX Runtime binds inputs and outputs, for TensorRT too


class OnnxModel:
    """A pack that runs. One thread uses it; ONNX Runtime lets go of the GIL meanwhile.

    ``provider`` is what really runs (cpu, cuda, tensorrt); ``max_batch`` what it likes to be given at once;
    ``threads`` run the rows of a batch side by side on a CPU (by default as many as its cores allow; a GPU has one).
    On a GPU batches are padded to buckets and bound (:class:`BoundGraph`). Raises PackError, ProviderError.
    """

    def __init__(
        self, pack: Pack, provider: str = "auto", strict: bool = False, gpu: Gpu | None = None, threads: int = 0
    ) -> None:
        self.card = card = pack.card
        self.info = pack.info
        asked = Asked(provider, strict, gpu or Gpu())
        text = {"text": (1, card.dim), "text_mask": (1,)}
        slots = {"visual": (card.window, card.dim), "age": (card.window,), "visual_mask": (card.window,)}
        encoder = open_graph(pack, "clip_encoder", asked, {"frames": (card.frames, card.size, card.size, 3)})
        joint = open_graph(pack, "joint", asked, slots | text)
        self.provider = encoder.provider
        self.threads = (threads or crew_size(cores())) if encoder.provider == "cpu" else 1
        self.max_batch = max_batch(encoder.provider, self.threads)
        self._crew = Crew(1)  # until the graphs are known to run: building begins no thread
        self._grid = asked.gpu.grid or encoder.provider == "cpu"
        self._encoder = _runner(encoder, ["token", "grid", "motion"] if self._grid else ["token", "motion"])
        self._joint = _runner(joint, ["event_logits"])
        events = pack.card.events.values()
        self._scale = np.array([event.scale for event in events])
        self._bias = np.array([event.bias for event in events])
        self._check_outputs()
        self._crew = Crew(self.threads)

    def close(self) -> None:
        """End the threads that it began. Idempotent."""
        self._crew.close()

    def spent(self) -> float:
        """The clock of what it costs: on a CPU the seconds that the calling thread and its own have computed; on a GPU
        elapsed ones. Only differences tell."""
        return self._crew.spent() if self.provider == "cpu" else time.perf_counter()

    def warm_up(self, alive: Callable[[], None] = lambda: None) -> None:
        """Have a GPU run every bucket; nothing on a CPU. For the thread that will use the model: ONNX Runtime records
        CUDA graphs for each thread. ``alive`` is called between them. Raises InferenceError.
        """
        card = self.card
        slots = np.zeros((1, card.window), np.float32)
        visual = np.zeros((1, card.window, card.dim), np.float32)
        self._encoder.warm_up({"frames": np.zeros((1, card.frames, card.size, card.size, 3), np.uint8)}, alive)
        self._joint.warm_up(self._slots(visual, slots, slots + 1), alive)

    def encode(self, frames: NDArray[np.uint8]) -> Encoded:
        """Tokens of clips ``frames`` uint8 [B, T, S, S, 3] RGB. Raises InferenceError."""
        found = self._run(self._encoder, {"frames": frames})
        if self._grid:
            token, grid, motion = found
        else:
            token, motion = found
            grid = np.empty((*token.shape, 0, 0), np.float32)
        return token, grid, motion

    def score(self, visual: Vector, age: Vector, mask: Vector) -> NDArray[np.float64]:
        """Calibrated probabilities [B, E] of windows ``visual`` [B, N, D], ``age`` [B, N], ``mask`` [B, N].

        Raises InferenceError.
        """
        (logits,) = self._run(self._joint, self._slots(visual, age, mask))
        return calibrate(logits, self._scale, self._bias)

    def _run(self, graph: "_Plain | BoundGraph", feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """All rows of ``feeds``; on a CPU each alone, ``threads`` at a time.

        The tensors of one clip fit its caches (a batch of eight costs a clip 15 % more). And int8 takes its steps from
        the largest value of a batch: what else is scored at the moment would move a camera's scores, by up to .004.
        """
        count = len(next(iter(feeds.values())))
        if self.provider != "cpu" or count == 1:
            return graph.run(feeds)
        rows = [{name: array[k : k + 1] for name, array in feeds.items()} for k in range(count)]
        parts = self._crew.map(graph.run, rows)
        return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _slots(self, visual: Vector, age: Vector, mask: Vector) -> dict[str, Vector]:
        batch = visual.shape[0]
        return {
            "visual": visual,
            "age": age,
            "visual_mask": mask,
            "text": np.zeros((batch, 1, self.card.dim), np.float32),
            "text_mask": np.zeros((batch, 1), np.float32),
        }

    def _check_outputs(self) -> None:
        """One pass with two clips, so that a wrong pack is refused before the first camera opens."""
        card = self.card
        try:
            token, grid, motion = self.encode(np.zeros((2, card.frames, card.size, card.size, 3), np.uint8))
            slots = np.zeros((2, card.window), np.float32)
            scores = self.score(np.zeros((2, card.window, card.dim), np.float32), slots, slots + 1)
        except InferenceError as error:
            raise PackError(f"pack {card.name}: its graphs do not run: {error}") from error
        shapes = [array.shape for array in (token, grid, motion, scores)]
        g = card.grid
        cells = (g, g) if self._grid else (0, 0)
        expected = [(2, card.dim), (2, card.dim, *cells), (2, g, g), (2, len(card.events))]
        if shapes != expected:
            raise PackError(f"pack {card.name}: graphs give shapes {shapes}, the card says {expected}")
        if not all(np.isfinite(array).all() for array in (token, grid, motion, scores)):
            raise PackError(f"pack {card.name}: graphs give values that are not finite")


class _Plain:
    """A graph on a CPU: nothing to copy, nothing to bind, nothing to warm up."""

    def __init__(self, session: Any, outputs: Sequence[str]) -> None:
        self._session = session
        self._outputs = outputs

    def warm_up(self, row: object, alive: object) -> None:
        """Nothing is chosen by size."""

    def run(self, feeds: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        with translated(InferenceError):
            return list(self._session.run(self._outputs, feeds))


def _runner(opened: Opened, outputs: Sequence[str]) -> _Plain | BoundGraph:
    if opened.provider == "cpu":
        return _Plain(opened.session, outputs)
    return BoundGraph(opened.session, outputs, DEVICE, opened.cuda_graph)

"""The pack's graphs in ONNX Runtime sessions: checked, warmed up, batched."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamwatch.errors import InferenceError, PackError
from streamwatch.models.calibration import calibrate
from streamwatch.models.detection import Vector
from streamwatch.models.pack import Pack
from streamwatch.models.provider import check_provider, gpu_present, preference

__all__ = ["Encoded", "OnnxModel"]

Encoded = tuple[Vector, Vector, Vector]
"""token float32 [B, D], grid float32 [B, D, g, g], motion float32 [B, g, g]."""


class OnnxModel:
    """A pack that runs. One thread uses it; ONNX Runtime lets go of the GIL meanwhile.

    ``provider`` is what really runs (cpu, cuda, tensorrt). Raises PackError, ProviderError.
    """

    def __init__(self, pack: Pack, provider: str = "auto", strict: bool = False) -> None:
        self.card = pack.card
        self.info = pack.info
        self._encoder = _session(pack, "clip_encoder.onnx", provider)
        self._joint = _session(pack, "joint.onnx", provider)
        self.provider = check_provider(provider, self._encoder.get_providers()[0], strict)
        events = pack.card.events.values()
        self._scale = np.array([event.scale for event in events])
        self._bias = np.array([event.bias for event in events])
        self._check_outputs()

    def encode(self, frames: NDArray[np.uint8]) -> Encoded:
        """Tokens of clips ``frames`` uint8 [B, T, S, S, 3] RGB. Raises InferenceError.

        On a CPU one by one: the tensors of one clip fit its caches, and a batch of eight costs a clip 15 % more.
        """
        size = 1 if self.provider == "cpu" else len(frames)
        names = ["token", "grid", "motion"]
        parts = [_run(self._encoder, names, {"frames": frames[k : k + size]}) for k in range(0, len(frames), size)]
        token, grid, motion = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
        return token, grid, motion

    def score(self, visual: Vector, age: Vector, mask: Vector) -> NDArray[np.float64]:
        """Calibrated probabilities [B, E] of windows ``visual`` [B, N, D], ``age`` [B, N], ``mask`` [B, N].

        Raises InferenceError.
        """
        batch = visual.shape[0]
        feeds = {
            "visual": visual,
            "age": age,
            "visual_mask": mask,
            "text": np.zeros((batch, 1, self.card.dim), np.float32),
            "text_mask": np.zeros((batch, 1), np.float32),
        }
        (logits,) = _run(self._joint, ["event_logits"], feeds)
        return calibrate(logits, self._scale, self._bias)

    def _check_outputs(self) -> None:
        """One warm-up pass with two clips, so that a wrong pack is refused before the first camera opens."""
        card = self.card
        try:
            token, grid, motion = self.encode(np.zeros((2, card.frames, card.size, card.size, 3), np.uint8))
            slots = np.zeros((2, card.window), np.float32)
            scores = self.score(np.zeros((2, card.window, card.dim), np.float32), slots, slots + 1)
        except InferenceError as error:
            raise PackError(f"pack {card.name}: its graphs do not run: {error}") from error
        shapes = [array.shape for array in (token, grid, motion, scores)]
        g = card.grid
        expected = [(2, card.dim), (2, card.dim, g, g), (2, g, g), (2, len(card.events))]
        if shapes != expected:
            raise PackError(f"pack {card.name}: graphs give shapes {shapes}, the card says {expected}")
        if not all(np.isfinite(array).all() for array in (token, grid, motion, scores)):
            raise PackError(f"pack {card.name}: graphs give values that are not finite")


def _session(pack: Pack, name: str, provider: str) -> Any:
    import onnxruntime as ort  # 0.2 s: not before a model is really needed

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # the cameras are the parallelism
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # what matters (the provider) is checked by us
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if provider != "cpu" and hasattr(ort, "preload_dlls") and gpu_present():
        ort.preload_dlls()
    providers = preference(provider, ort.get_available_providers(), gpu_present())
    try:
        return ort.InferenceSession(pack.read(name), sess_options=options, providers=list(providers))
    except _ort_errors() as error:
        raise PackError(f"{pack.path / name}: ONNX Runtime refuses it: {_first_line(error)}") from error


def _run(session: Any, outputs: list[str], feeds: dict[str, Any]) -> list[Any]:
    try:
        return list(session.run(outputs, feeds))
    except _ort_errors() as error:
        raise InferenceError(_first_line(error)) from error


def _ort_errors() -> tuple[type[Exception], ...]:
    """ONNX Runtime's exceptions derive from Exception directly; RuntimeError and ValueError come from its bindings."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented",
             "RuntimeException", "EPFail", "ModelLoadCanceled", "NoModel", "EngineError")  # fmt: skip
    return (RuntimeError, ValueError, *(getattr(state, name) for name in names if hasattr(state, name)))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]

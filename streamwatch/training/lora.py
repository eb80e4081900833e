"""Low-rank adapters on the transformer's layers (Hu et al., ICLR 2022, arXiv 2106.09685), merged when training ends."""

from typing import Any

from streamwatch.training.videobert import Joint

__all__ = ["adapt", "merge"]

LAYERS = ["query", "key", "value", "dense", "up", "down"]


def adapt(joint: Joint, rank: int) -> Any:
    """``joint`` in place: its layers frozen, adapters of this rank on them; all that is not in a layer still learns.

    → what :func:`merge` wants. Raises ModuleNotFoundError without peft.
    """
    from peft import LoraConfig, get_peft_model

    learning = {name for name, p in joint.named_parameters() if p.requires_grad and not name.startswith("layers.")}
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=LAYERS, lora_dropout=0.05)
    wrapped = get_peft_model(joint, config)
    for name, parameter in joint.named_parameters():
        if name in learning:
            parameter.requires_grad_(True)
    return wrapped


def merge(wrapped: Any) -> None:
    """Adapters into the weights: the joint has its own layout again, and all of it can learn."""
    joint = wrapped.merge_and_unload()
    for name, parameter in joint.named_parameters():
        if name.startswith("layers."):
            parameter.requires_grad_(True)

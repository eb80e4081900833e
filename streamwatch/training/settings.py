"""How the transformer is trained: every number that a run depends on, but for the data."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Settings"]

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """The defaults gave the bundled pack. A step is one batch; an epoch is ``epoch`` steps."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Annotated[int, Field(ge=96, multiple_of=96, description="side of the picture")] = 288
    window: Annotated[int, Field(ge=2, le=32, description="slots of the joint transformer")] = 16
    steps: Count = 650
    batch: Count = 24
    texts: Annotated[int, Field(ge=0, description="of the batch come with a caption")] = 6
    rate: Annotated[float, Field(gt=0, le=1, description="of the pre-trained layers")] = 3e-5
    fresh: Annotated[float, Field(gt=0, description="new parts learn so many times as fast")] = 10.0
    layer_decay: Annotated[float, Field(gt=0, le=1, description="of the rate, from each layer to the one below")] = 1.0
    warmup: Annotated[float, Field(ge=0, le=0.9, description="share of the steps")] = 0.1
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    clip: Annotated[float, Field(gt=0, description="largest norm of a gradient")] = 1.0
    dropout: Share = 0.1
    blur: Annotated[Share, Field(description="dropout of what the tokens hold")] = 0.25
    smoothing: Annotated[Share, Field(description="of the labels")] = 0.06
    mixup: Annotated[float, Field(ge=0, description="both parameters of the beta distribution; 0: none")] = 0.0
    subsample: Annotated[int, Field(ge=1, le=5, description="windows keep every 1st … nth second")] = 1
    joined: Annotated[Share, Field(description="of the captions are joined with a neighbour")] = 0.0
    perturb: Annotated[float, Field(ge=0, description="FreeLB: radius in token norms; 0: none")] = 0.0
    lora: Annotated[int, Field(ge=0, description="rank of adapters in place of the layers' own weights; 0: none")] = 0
    ema: Annotated[float, Field(ge=0, lt=1, description="of the weights, per step")] = 0.98
    epoch: Annotated[int, Field(ge=1, description="steps between states and scores")] = 50
    patience: Annotated[int, Field(ge=0, description="epochs without a better score before it stops; 0: all")] = 0
    half: Annotated[bool, Field(description="bfloat16 where it is safe: 2.6 times as fast")] = True
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _texts_fit(self) -> "Settings":
        if self.texts > self.batch:
            raise ValueError(f"texts: {self.texts} of a batch of {self.batch} cannot have captions")
        return self

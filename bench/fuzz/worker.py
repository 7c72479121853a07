"""Search one target for bytes that break its promise, led by coverage: atheris changes inputs that reach new code.

    python -m bench.fuzz.worker MODULE TARGET SECONDS FOLDER

MODULE is the target's, and alone is imported: what is imported is instrumented, which takes seconds. They count.

A process of its own, for a crash ends it. What it has reached stays in FOLDER/corpus for the next time; an input that
fails is written to FOLDER/failed-…, with a traceback on standard error and an exit code other than 0.
"""

import importlib
import sys
import time
from pathlib import Path

import atheris

from bench.fuzz.structure import changed
from bench.fuzz.target import Target, limit_memory

INSTRUMENTED = ["p2pdist", "seed_server", "bandwidth", "h11", "tarfile", "tomllib", "zipfile"]

HANG_SECONDS = 30  # of the clock, on a busy machine; for loops in libraries, in which no Python runs


def main(module: str, name: str, seconds: int, folder: Path) -> None:
    """Never returns: libFuzzer ends the process."""
    started = time.monotonic()
    with atheris.instrument_imports(include=INSTRUMENTED):
        targets: tuple[Target, ...] = importlib.import_module(module).TARGETS
    target = next(target for target in targets if target.name == name)
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(target.seeds(), 1):
        (corpus / f"seed-{number}").write_bytes(data)
    for path in target.found():
        (corpus / path.name).write_bytes(path.read_bytes())
    options = [
        f"-max_total_time={max(1, seconds - round(time.monotonic() - started))}",
        f"-max_len={target.max_bytes}",
        f"-timeout={HANG_SECONDS}",
        f"-artifact_prefix={folder}/failed-",
        "-rss_limit_mb=0",  # `limit_memory` is stricter, and names the line
        "-verbosity=0",
        "-print_final_stats=1",
        "-close_fd_mask=0",
        str(corpus),
    ]
    limit_memory()

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        return changed(data, max_size, seed, atheris.Mutate)

    atheris.Setup(
        [sys.argv[0], *options],
        target.try_one,
        custom_mutator=mutated if target.msgpack else None,
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))

"""What the demo's application is made of: two versions of a program's modules, of which a part differs. Pure.

The bytes are made by a formula, so they are the same everywhere, and as compressible as programs: to half.
"""

import random

MODULES = 100
MODULE_WORDS = 40_000  # of some six bytes: a quarter of a megabyte
VOCABULARY_WORDS = 4_096
REWRITTEN = frozenset(range(7, MODULES, 25))  # in 2.0, from the beginning
MENDED = frozenset(range(3, MODULES, 10))  # in 2.0, one function: all behind it moves
MENDED_WORDS = 400


def modules_of(version: str) -> list[tuple[str, bytes]]:
    """Return the modules of version 1.0 or 2.0, as (name, content)."""
    chance = random.Random("vocabulary")
    vocabulary = [chance.randbytes(chance.randint(2, 10)) for _ in range(VOCABULARY_WORDS)]
    found = []
    for number in range(MODULES):
        revision = "2.0" if version == "2.0" and number in REWRITTEN else "1.0"
        words = random.Random(f"module {number} {revision}").choices(vocabulary, k=MODULE_WORDS)
        if version == "2.0" and number in MENDED:
            new = random.Random(f"mended {number}").choices(vocabulary, k=MENDED_WORDS)
            place = MODULE_WORDS // 3
            words[place : place + MENDED_WORDS // 2] = new
        found.append((f"module{number:02}", f"version {version}\n".encode() + b"".join(words)))
    return found

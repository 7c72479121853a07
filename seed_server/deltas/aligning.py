"""Aligns two payloads, in a process of its own: in the server's it would hold the interpreter's lock for a second.

That is for 100 MB of a payload that has not been looked at before. `seed_server.origin.aligner` starts it.
"""

import os
import sys
import threading
from array import array
from pathlib import Path
from typing import Final

import msgspec

from p2pdist.shared.identifiers import parse_sha256
from p2pdist.shared.priority import go_with_others
from seed_server.deltas.alignment import Alignment, align
from seed_server.deltas.anchor_files import AnchorFiles
from seed_server.store.content_store import ContentStore, DamagedPayloadError

EXIT_DAMAGED: Final = 65
"""A payload cannot be read; the standard error says which."""


class _Answer(msgspec.Struct, frozen=True, array_like=True):
    base_length_bytes: int
    new_length_bytes: int
    new_places: bytes
    base_places: bytes


def encoded(found: Alignment) -> bytes:
    """Return an alignment as it is written to the standard output."""
    places = (found.new_places.tobytes(), found.base_places.tobytes())
    return msgspec.msgpack.encode(_Answer(found.base_length_bytes, found.new_length_bytes, *places))


def decoded(data: bytes) -> Alignment:
    """Return the alignment that was written. Raises `msgspec.MsgspecError`."""
    answer = msgspec.msgpack.decode(data, type=_Answer)
    places = (array("Q", answer.new_places), array("Q", answer.base_places))
    return Alignment(answer.base_length_bytes, answer.new_length_bytes, *places)


def main() -> int:
    """Find out how the payloads that the command line names belong together; end with who holds standard input."""
    content, coded, base, new = sys.argv[1:]
    threading.Thread(target=_end_with_the_parent, daemon=True).start()  # noqa: TID251 - here is no event loop
    # PCs of all sites wait for it: behind other programs, the five seconds of 300 MB were more than a minute
    go_with_others()
    files = AnchorFiles(ContentStore(Path(content)), Path(coded))
    try:
        found = align(files.anchors(parse_sha256(base)), files.anchors(parse_sha256(new)))
    except DamagedPayloadError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_DAMAGED
    sys.stdout.buffer.write(encoded(found))
    return 0


def _end_with_the_parent() -> None:
    os.read(0, 1)  # nothing is ever written to it
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())

"""The demo's default payload: a real archive of what every Python machine has, 100 MB or more."""

import io
import sysconfig
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

ENOUGH_BYTES = 104_000_000  # adding stops here: large enough to be work, small enough to wait for
LARGEST_FILE_BYTES = 32_000_000  # keeps the archive near its size, whatever is installed
SKIPPED_DIRECTORIES = {"__pycache__", "site-packages", "dist-packages"}


def build_payload(path: Path, on_progress: Callable[[int], None], *, enough_bytes: int = ENOUGH_BYTES) -> None:
    """Write an uncompressed tar of the standard library and the installed packages to ``path``.

    Files come in sorted order with neutral owners and times, until the archive
    has ``enough_bytes``. ``on_progress`` is called with its size as it grows; an
    exception from it ends the work. Blocking.
    """
    with path.open("wb") as output, tarfile.open(fileobj=output, mode="w") as archive:
        for source, name in _files():
            try:
                data = source.read_bytes()
            except OSError:
                continue  # not ours to read, or gone meanwhile: any other file does as well
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
            on_progress(output.tell())
            if output.tell() >= enough_bytes:
                break


def _files() -> Iterator[tuple[Path, str]]:
    roots = {"stdlib": SKIPPED_DIRECTORIES, "platlib": {"__pycache__"}, "purelib": {"__pycache__"}}
    seen: set[Path] = set()
    for kind, skipped in roots.items():
        root = Path(sysconfig.get_path(kind)).resolve()
        if root in seen:
            continue
        seen.add(root)
        for path in _walk(root, skipped):
            if path.is_file() and path.stat().st_size <= LARGEST_FILE_BYTES:
                yield path, f"{kind}/{path.relative_to(root).as_posix()}"


def _walk(directory: Path, skipped: set[str]) -> Iterator[Path]:
    """Yield what is neither a directory nor a link, in sorted order; directories are read lazily."""
    try:
        entries = sorted(directory.iterdir())
    except OSError:
        return  # not ours to read, or gone meanwhile
    for path in entries:
        if path.name in skipped or path.is_symlink():
            continue
        if path.is_dir():
            yield from _walk(path, skipped)
        else:
            yield path

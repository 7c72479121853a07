"""Payload files that belong to no transfer: of patches that are gone, or of records that were lost. Blocking.

What is still shared in parcels or as news has a name of its own kind, and is not looked at.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from p2pdist.settings import EndpointHome
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.news_torrent import NEWS_NAME_ZEROS
from p2pdist.transfer.names import NameChange, take_name
from p2pdist.transfer.states import Place, TransferRecord

log = lazy_log()


def remove_unclaimed(
    home: EndpointHome, claimed: Collection[TransferRecord], linked: Collection[str] = ()
) -> list[NameChange]:
    """Remove the files in cache and patches that none of ``claimed`` is of; what cannot be removed is logged.

    ``linked``: names in the cache that belong there all the same.
    """
    here = [record for record in claimed if not record.spared]
    names = {*linked, *(record.sha256 for record in here)}
    places = {place for record in here for place in record.places}
    found = [*_of_cache(home.cache, names), *_of_patches(home.patches, places)]
    changes: list[NameChange] = []
    for path in found:
        try:
            change = take_name(path)
        except OSError as error:
            log.warning("a file that nothing belongs to cannot be removed", path=str(path), reason=error.strerror)
            continue
        changes += [] if change is None else [change]
        log.info("removed a file that nothing belongs to", path=str(path))
    _remove_empty(home.patches)
    return changes


def _of_cache(cache: Path, names: Collection[str]) -> Iterator[Path]:
    for path in _in(cache):
        if path.name not in names and not path.name.startswith(NEWS_NAME_ZEROS) and _is_file(path):
            yield path


def _of_patches(patches: Path, places: Collection[Place]) -> Iterator[Path]:
    for patch in _in(patches):
        for version in _in(patch):
            for path in _in(version):
                if Place(patch.name, version.name, path.name) not in places and _is_file(path):
                    yield path


def _is_file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _in(directory: Path) -> list[Path]:
    if directory.is_symlink():
        return []
    try:
        return list(directory.iterdir())
    except OSError:  # a file, or gone meanwhile; what is there and cannot be read says so where it is used
        return []


def _remove_empty(patches: Path) -> None:
    for patch in _in(patches):
        for directory in (*_in(patch), patch):
            try:
                directory.rmdir()
            except OSError:
                continue  # something is in it, or it is a file

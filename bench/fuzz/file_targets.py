"""Files: archives, torrent files, TOML."""

import contextlib
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import libtorrent as lt

from bandwidth.profiles.parse import ProfileError, parse_profile
from bench.fuzz.target import Target, must
from p2pdist.install import archive
from p2pdist.install.limits import InstallLimits
from p2pdist.settings import DaemonSettings
from p2pdist.shared.archive_members import ArchiveError
from p2pdist.shared.errors import UserError
from p2pdist.shared.folder import Folder
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.toml_config import parse_toml
from p2pdist.transfer.torrent_engine.bindings import read_torrent
from p2pdist.transfer.torrent_engine.reports import EngineError
from seed_server.line.site_map import parse_site_map
from seed_server.publishing.recipe import Recipe, recipe_problems
from seed_server.publishing.recipe_warnings import recipe_doubts
from seed_server.settings.server_toml import ServerSettings, check_settings
from seed_server.signing.templates import TemplateFile

MEMORY_FILES = "/dev/shm" if Path("/dev/shm").is_dir() else None
UNPACKED_BYTES = 8 << 20
PROFILES = Path(__file__).resolve().parents[2] / "bandwidth" / "profiles" / "shipped"


# --- archives ------------------------------------------------------------------------------------


def _archive(data: bytes) -> None:
    scratch = Path(tempfile.mkdtemp(prefix="p2pdist-fuzz-", dir=MEMORY_FILES))
    try:
        home = scratch / "opt"
        home.mkdir()
        limits = InstallLimits(max_members=200, max_links=50, max_unpacked_bytes=UNPACKED_BYTES, free_margin_bytes=0)
        try:
            with Folder.open(home) as folder:
                archive.install(io.BytesIO(data), folder, "1", "0" * 64, limits=limits)
                must(archive.current_version(folder) == "1", "what is installed is current")
        except (ArchiveError, OSError):
            left = sorted(path.name for path in home.rglob("*"))
            must(left in ([], ["versions"]), f"an archive that is refused leaves nothing: {left}")
        else:
            _look_at_tree(home)
        must(list(scratch.iterdir()) == [home], "an archive writes in its directory alone")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _look_at_tree(home: Path) -> None:
    tree = home / "versions" / "1"
    total = 0
    for place, folders, files in os.walk(tree):
        for path in (Path(place) / name for name in (*folders, *files)):
            must(path.is_symlink() or path.is_file() or path.is_dir(), "a tree has files, directories and links alone")
            inside = os.path.commonpath((tree, os.path.realpath(path))) == str(tree)
            must(inside, "nothing in a tree leads out of it")
            mode = path.lstat().st_mode
            must(path.is_symlink() or not mode & 0o7022, "no file has special bits, or can be written by others")
            total += path.lstat().st_size if path.is_file() and not path.is_symlink() else 0
    must(total <= UNPACKED_BYTES, "a tree is not larger than allowed")


def _archive_seeds() -> Iterator[bytes]:
    for form, mode in (
        (tarfile.USTAR_FORMAT, "w"),
        (tarfile.GNU_FORMAT, "w"),
        (tarfile.PAX_FORMAT, "w:gz"),
        (tarfile.PAX_FORMAT, "w:xz"),
    ):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode, format=form) as tar:  # type: ignore[call-overload]
            for kind, name, target in (
                (tarfile.DIRTYPE, "bin", ""), (tarfile.REGTYPE, "bin/run", ""), (tarfile.SYMTYPE, "link", "bin/run"),
                (tarfile.LNKTYPE, "hard", "bin/run"), (tarfile.REGTYPE, "é" * 40, ""),
            ):  # fmt: skip
                info = tarfile.TarInfo(name)
                info.type, info.linkname, info.mode, info.mtime = kind, target, 0o755, 1
                info.size = 5 if kind == tarfile.REGTYPE else 0
                tar.addfile(info, io.BytesIO(b"#!sh\n"))
        yield out.getvalue()
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as packed:
            packed.writestr("a/b", "text" * 9)
            link = zipfile.ZipInfo("a/link")
            link.create_system, link.external_attr = 3, 0o120777 << 16
            packed.writestr(link, "b")
        yield out.getvalue()


# --- torrent files -------------------------------------------------------------------------------


def _torrent(data: bytes) -> None:
    for wanted in ("0" * 64, _info_hash(data)):
        with contextlib.suppress(EngineError):
            _params, file = read_torrent(data, TorrentHash(wanted))
            must(len(file.piece_hashes) == 32 * file.piece_count, "a torrent has a hash for each piece")
            must(file.length_bytes <= file.piece_count * file.piece_bytes, "a torrent's pieces hold its file")


def _info_hash(data: bytes) -> str:
    """Return the hash that a manifest would name for it."""
    try:
        info = lt.bdecode(data)[b"info"]  # type: ignore[index, call-overload]
        return hashlib.sha256(lt.bencode(info)).hexdigest()
    except (RuntimeError, TypeError, KeyError, IndexError):
        return "0" * 64


def _torrent_seeds() -> Iterator[bytes]:
    for size, piece_bytes in ((1, 16_384), (50_000, 16_384), (200_000, 65_536)):
        with tempfile.TemporaryDirectory() as place:
            content = b"p" * size
            name = hashlib.sha256(content).hexdigest()
            Path(place, name).write_bytes(content)
            creator: Any = lt.create_torrent(
                lt.list_files(str(Path(place, name))), piece_bytes, lt.create_torrent.v2_only
            )
            creator.set_priv(True)
            lt.set_piece_hashes(creator, place)
            made = creator.generate()
            made.pop(b"creation date", None)  # the seeds are the same each time
            yield lt.bencode(made)


# --- TOML ----------------------------------------------------------------------------------------


def _text(data: bytes) -> str:
    """Return ``data`` as the readers of files hand it on: they refuse what is no UTF-8."""
    return data.decode("utf-8", "ignore")


def _read_settings(text: str) -> None:
    parse_toml(text, DaemonSettings, source="config.toml")


def _read_server_settings(text: str) -> None:
    check_settings(parse_toml(text, ServerSettings, source="server.toml"), source="server.toml")


def _read_sites(text: str) -> None:
    parse_site_map(text, source="sites.toml")


def _read_recipe(text: str) -> None:
    recipe = parse_toml(text, Recipe, source="recipe.toml", times_as_text=True)
    problems = recipe_problems(recipe)
    for problem in problems:
        problem.explained(recipe)
    if not problems:
        recipe_doubts(recipe, 1.7e9)


def _read_template(text: str) -> None:
    parse_toml(text, TemplateFile, source="template.toml")


def _toml(read: Callable[[str], None]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        with contextlib.suppress(UserError):
            read(_text(data))

    return check


def _profile(data: bytes) -> None:
    with contextlib.suppress(ProfileError):
        parse_profile(_text(data), source="profile.toml")


RECIPE = b"""patch_id = "vlc"
version = "3.0"
title = "VLC"
severity = "high"
cvss = 7.5
applies_to = 'os.family == "debian"'
requires = ["base@1"]
[[payload]]
file = "setup.deb"
platform = "debian"
[install]
kind = "deb"
package = "vlc"
[[detect]]
kind = "command"
command = ["/bin/true"]
[health]
within_seconds = 5
checks = [{kind = "unit", unit = "vlc.service"}]
[schedule]
windows = ["mon-fri 22:00-05:00"]
deadline = 2026-12-01T18:00:00
"""
SITES = b"""[[site]]
name = "leeds"
networks = ["10.20.0.0/16", "fd00::/48"]
nat = ["198.51.100.7"]
line_mbit = 20
fetchers = 2
"""

TARGETS = (
    Target("archive", _archive, _archive_seeds),
    Target("torrent", _torrent, _torrent_seeds),
    Target("toml-settings", _toml(_read_settings), lambda: [b"lan_port = 7691\n"]),
    Target(
        "toml-server",
        _toml(_read_server_settings),
        lambda: [b'name = "s"\naddress = "10.0.0.1"\nweb_port = 7443\norigin_port = 7444\n'],
    ),
    Target("toml-sites", _toml(_read_sites), lambda: [SITES]),
    Target("toml-recipe", _toml(_read_recipe), lambda: [RECIPE]),
    Target(
        "toml-template", _toml(_read_template), lambda: [b'title = "t"\n[[item]]\nlabel = "l"\nexpression = "true"\n']
    ),
    Target("toml-profile", _profile, lambda: [path.read_bytes() for path in sorted(PROFILES.glob("*.toml"))]),
)

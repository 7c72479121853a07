"""What inspectors find in the files of a patch. Pure.

The files are hostile: an inspector reads a bounded part of them, writes nothing, and runs nothing. Whatever is in
them, it returns one of the types below or raises `InspectionError`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from p2pdist.shared.manifest.recipe import INSTALL_KINDS
from p2pdist.shared.manifest.versions import Ecosystem

# the words of package managers for what the fact `arch` calls amd64, arm64 and x86; the rest are for every PC
ARCH_WORDS: Mapping[str, str] = {
    "amd64": "amd64", "x86_64": "amd64", "x64": "amd64",
    "arm64": "arm64", "aarch64": "arm64",
    "i386": "x86", "i486": "x86", "i586": "x86", "i686": "x86", "intel": "x86",
}  # fmt: skip
ANY_ARCH = ("all", "noarch", "")


class InspectionError(Exception):
    """The file is not what it is said to be, or damaged. The message is for people; it completes "acme.deb: …"."""


@dataclass(frozen=True)
class PackageContents:
    """What a package says of itself."""

    ecosystem: Ecosystem
    name: str
    version: str
    """As the package manager has it, epoch included."""
    own_arch: str
    """In the package manager's own words."""

    @property
    def arch(self) -> str:
        """The value of the fact ``arch``; empty: every PC. What is not known here is left as it is."""
        return "" if self.own_arch in ANY_ARCH else ARCH_WORDS.get(self.own_arch.lower(), self.own_arch.lower())

    def __str__(self) -> str:
        return f"{_KINDS[self.ecosystem]} package {self.name} {self.version} ({self.own_arch or 'any'})"


_KINDS = {Ecosystem.DEB: "Debian", Ecosystem.RPM: "RPM", Ecosystem.WINDOWS: "Windows Installer"}


@dataclass(frozen=True)
class MsiContents(PackageContents):
    """What a Windows Installer package says of itself; its name is that of the product."""

    product_code: str

    def __str__(self) -> str:
        return f"{super().__str__()}, product code {self.product_code}"


@dataclass(frozen=True)
class ArchivedFile:
    """A file in an archive."""

    executable: bool
    sha256: str | None = None
    """Only of files that were asked for."""


@dataclass(frozen=True)
class ArchiveContents:
    """The tree of an archive, as it is packed: nothing is stripped. Paths have ``/`` between their parts."""

    is_zip: bool
    files: Mapping[str, ArchivedFile]
    links: Mapping[str, str] = field(default_factory=dict)
    """Symbolic links and their targets."""
    doubts: tuple[str, ...] = ()
    """What may surprise; each completes "acme.zip: …"."""

    def top(self) -> str:
        """Return the one folder that holds everything; "" without one."""
        tops = {path.split("/", 1)[0] for path in (*self.files, *self.links)}
        below = all("/" in path for path in (*self.files, *self.links))
        return tops.pop() if len(tops) == 1 and below else ""

    def __str__(self) -> str:
        files = f"{len(self.files)} {'file' if len(self.files) == 1 else 'files'}"
        return f"{files} in a {'zip' if self.is_zip else 'tar'} archive"


@dataclass(frozen=True)
class ScriptContents:
    """What a script is by its first line, and what may surprise."""

    shebang: str
    """The program that its first line names, without its folder; empty: none."""
    doubts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"a script for {self.shebang}" if self.shebang else "a script"


Contents: TypeAlias = PackageContents | ArchiveContents | ScriptContents

INSPECTED_KINDS = tuple(kind for kind in INSTALL_KINDS if kind not in ("msu", "exe"))
"""Kinds of installation whose files are looked into; of the others only the name and size are known."""

"""The facts that an endpoint knows of itself: names, types and values, for expressions to use. Pure."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, Version, parse_version

FactValue: TypeAlias = bool | int | str | Version | tuple[str, ...]

ARCHES = ("amd64", "arm64", "x86")  # words of the fact ``arch``; other processors have their own
FAMILIES = ("debian", "rhel", "suse", "windows", "macos")  # likewise of ``os.family``
MAX_PACKAGES = 20_000  # of one PC: a desktop has 3 000; what comes after them is not seen
PLATFORMS = ("linux", *FAMILIES)  # what a payload may be for


class FactType(enum.StrEnum):
    """The type of a fact or of a constant."""

    TRUTH = "true or false"
    NUMBER = "a number"
    TEXT = "a text"
    VERSION = "a version"
    TEXTS = "a list of texts"


@dataclass(frozen=True, slots=True)
class FactKind:
    """One fact's type and, for people, its meaning."""

    type: FactType
    meaning: str


FACTS: Mapping[str, FactKind] = MappingProxyType(
    {
        "os.family": FactKind(FactType.TEXT, "debian, rhel, suse, windows or macos; of others, the system's own id"),
        "os.id": FactKind(FactType.TEXT, "the system's own name, such as ubuntu, rocky or windows"),
        "os.release": FactKind(FactType.VERSION, "such as 12, 22.04 or 10.0 (generic)"),
        "os.build": FactKind(FactType.NUMBER, "of Windows, such as 19045; 0 elsewhere"),
        "os.language": FactKind(FactType.TEXT, "such as en-us, ja-jp, zh-tw; lower case"),
        "arch": FactKind(FactType.TEXT, "amd64, arm64, x86, or the system's own word"),
        "hostname": FactKind(FactType.TEXT, "without the domain, lower case"),
        "disk.free_mb": FactKind(FactType.NUMBER, "where patches are kept, in 10^6 bytes"),
        "ram_mb": FactKind(FactType.NUMBER, "in 10^6 bytes"),
        "network": FactKind(FactType.TEXT, "wired, wifi, vpn, metered or unknown"),
        "on_mains": FactKind(FactType.TRUTH, "true also where there is no battery, or the system does not say"),
        "battery_percent": FactKind(FactType.NUMBER, "100 where there is no battery"),
        "site": FactKind(FactType.TEXT, "as the site map has it; empty before the first connection"),
        "tags": FactKind(FactType.TEXTS, "from the enrolment"),
    }
)


class Packages(Mapping[str, Version]):
    """The installed packages of one or more ecosystems. Of a name that is in two, the first ecosystem counts.

    A version is parsed only when it is asked for: parsed, thousands of them would need megabytes. One that is invalid
    in its own ecosystem is parsed as a generic one. A package whose version is invalid there too is left out.
    """

    def __init__(self, sources: Mapping[Ecosystem, Mapping[str, str]] | None = None, *, complete: bool = False) -> None:
        """``complete``: these are all, so that any other is known to be absent."""
        self._sources = dict(sources or {})
        self.complete = complete

    @property
    def incomplete(self) -> "Packages":
        """The same, where it is not known any more whether they are all."""
        return Packages(self._sources)

    def texts(self) -> Iterator[tuple[Ecosystem, str, str]]:
        """Yield ecosystem, name and version of each as they were found; the version may be invalid."""
        for ecosystem, texts in self._sources.items():
            for name, text in texts.items():
                yield ecosystem, name, text

    def __getitem__(self, name: str) -> Version:
        for ecosystem, texts in self._sources.items():
            if (text := texts.get(name)) is not None and (version := _read(text, ecosystem)) is not None:
                return version
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(name for texts in self._sources.values() for name in texts)
        return (name for name in names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Packages):
            return super().__eq__(other)
        return self.complete == other.complete and self._sources == other._sources

    __hash__ = None  # type: ignore[assignment]


def _read(text: str, ecosystem: Ecosystem) -> Version | None:
    for tried in (ecosystem, Ecosystem.GENERIC):
        try:
            return parse_version(text, tried)
        except InvalidVersionError:
            continue
    return None


@dataclass(frozen=True, slots=True)
class Facts:
    """One endpoint's facts at one moment. A fact that could not be gathered is missing from ``values``."""

    values: Mapping[str, FactValue] = field(default_factory=dict)
    packages: Mapping[str, Version] = field(default_factory=Packages)
    """Versions of the installed packages, by name; each compares by the rules of its own ecosystem."""

"""Parse and compare versions by the rules of each ecosystem. Pure.

A `Version` compares only with others of its ecosystem: 1.10 is more than 1.9 in all of them, but the meaning of a
letter or a tilde differs.
"""

import enum
import functools
import re
from dataclasses import dataclass, field

MAX_VERSION_CHARS = 200  # the longest in Debian has about 60


class Ecosystem(enum.StrEnum):
    """The rules by which a version is ordered."""

    DEB = "deb"
    """Debian policy, section 5.6.12."""
    RPM = "rpm"
    """RPM's own comparison (`rpmvercmp`), with tilde and caret."""
    WINDOWS = "windows"
    """One to four numbers."""
    GENERIC = "generic"
    """Numbers and words; a pre-release (alpha, beta, rc, dev, …) is less than its release, as in PEP 440."""


class InvalidVersionError(ValueError):
    """The text is not a version of its ecosystem. The message says why."""


@functools.total_ordering
@dataclass(frozen=True, eq=False)
class Version:
    """A version. Equal ones may be written differently (1.0 and 1.00). Made by `parse_version`."""

    ecosystem: Ecosystem
    text: str
    _key: object = field(repr=False)

    def __eq__(self, other: object) -> bool:
        return self._key == self._same(other)._key if isinstance(other, Version) else NotImplemented

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Version):
            return NotImplemented
        return bool(self._key < self._same(other)._key)  # type: ignore[operator]

    def __hash__(self) -> int:
        return hash((self.ecosystem, self._key))

    def _same(self, other: "Version") -> "Version":
        if other.ecosystem is not self.ecosystem:
            raise InvalidVersionError(f"a {self.ecosystem} version cannot be compared with a {other.ecosystem} version")
        return other

    def __str__(self) -> str:
        return self.text


def parse_version(text: str, ecosystem: Ecosystem) -> Version:
    """Return ``text`` as a version. Raises `InvalidVersionError`."""
    if not text or len(text) > MAX_VERSION_CHARS or not text.isascii() or not text.isprintable():
        raise InvalidVersionError(
            f"{text[:40]!r} is not a version of 1 to {MAX_VERSION_CHARS} printable ASCII characters"
        )
    return Version(ecosystem, text, _KEYS[ecosystem](text))


# --- Debian ------------------------------------------------------------------------------------

_DEB = re.compile(r"(?:(\d+):)?([0-9][A-Za-z0-9.+~:-]*?)(?:-([A-Za-z0-9+.~]+))?")
_END = 0  # the end of a part sorts after a tilde and before everything else


def _deb_key(text: str) -> object:
    match = _DEB.fullmatch(text)
    if match is None:
        raise InvalidVersionError(f"{text!r} is not a Debian version, such as 1:3.0.17-1~deb12u2")
    epoch, upstream, revision = match.groups()
    return int(epoch or 0), _deb_part(upstream), _deb_part(revision or "0")


def _deb_part(text: str) -> tuple[object, ...]:
    """Return a key of alternating words and numbers.

    In words, a tilde is less than the end, the end less than a letter, and a letter less than any other sign.
    """
    key: list[object] = []
    for word, number in re.findall(r"([^0-9]*)([0-9]*)", text):
        if word or number:
            key += [(*(_deb_sign(sign) for sign in word), _END), int(number or 0)]
    # the whole part ends with an empty word: less than letters, more than a tilde
    return (*key, (_END,))


def _deb_sign(sign: str) -> int:
    return -1 if sign == "~" else ord(sign) if sign.isalpha() else ord(sign) + 256


# --- RPM ---------------------------------------------------------------------------------------

_RPM = re.compile(r"(?:(\d+):)?([^-:\s]+)(?:-([^-:\s]+))?")
_TILDE, _STOP, _CARET, _WORD, _NUMBER = range(5)


def _rpm_key(text: str) -> object:
    match = _RPM.fullmatch(text)
    if match is None:
        raise InvalidVersionError(f"{text!r} is not an RPM version, such as 2:1.4.2-3.el9")
    epoch, version, release = match.groups()
    return int(epoch or 0), _rpm_part(version), _rpm_part(release or "")


def _rpm_part(text: str) -> tuple[tuple[int, object], ...]:
    """Return a key of runs of digits and letters, tildes and carets; all other signs only separate them."""
    key: list[tuple[int, object]] = []
    for run in re.findall(r"[0-9]+|[A-Za-z]+|~|\^", text):
        if run.isdigit():
            key.append((_NUMBER, int(run)))
        elif run.isalpha():
            key.append((_WORD, run))
        else:
            key.append((_TILDE if run == "~" else _CARET, 0))
    return (*key, (_STOP, 0))


# --- Windows, and everything else ----------------------------------------------------------------

_BEFORE_RELEASE = {"dev": 0, "alpha": 1, "a": 1, "beta": 2, "b": 2, "pre": 3, "preview": 3, "rc": 3, "c": 3}
_GENERIC_END, _GENERIC_WORD, _GENERIC_NUMBER = range(10, 13)


def _windows_key(text: str) -> object:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+){0,3}", text):
        raise InvalidVersionError(
            f"{text!r} is not a Windows version: one to four numbers with dots, such as 10.0.19045.4046"
        )
    numbers = [int(number) for number in text.split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))


def _generic_key(text: str) -> object:
    runs = re.findall(r"[0-9]+|[a-z]+", text.lower().removeprefix("v"))
    if not runs or not runs[0].isdigit():
        raise InvalidVersionError(f"{text!r} is not a version: it has to begin with a number, such as 2.1 or 2.1-rc3")
    key: list[tuple[int, object]] = []
    for run in runs:
        if run.isdigit():
            key.append((_GENERIC_NUMBER, int(run)))
        elif run in _BEFORE_RELEASE:
            _drop_zeros(key)
            key.append((_BEFORE_RELEASE[run], 0))
        else:
            _drop_zeros(key)
            key.append((_GENERIC_WORD, run))
    _drop_zeros(key)
    return (*key, (_GENERIC_END, 0))


def _drop_zeros(key: list[tuple[int, object]]) -> None:
    while key and key[-1] == (_GENERIC_NUMBER, 0):
        key.pop()


_KEYS = {
    Ecosystem.DEB: _deb_key,
    Ecosystem.RPM: _rpm_key,
    Ecosystem.WINDOWS: _windows_key,
    Ecosystem.GENERIC: _generic_key,
}

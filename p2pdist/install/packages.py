"""What dpkg and rpm say: of a package's file, of what is installed, and of what the administrator wants. Pure."""

import re
from typing import TypeAlias

from p2pdist.install.command_lines import DerivedCheck
from p2pdist.install.findings import CheckResult, found, unknown
from p2pdist.shared.manifest.recipe import PackageCheck
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version
from p2pdist.shared.wire.codec import KeptState

MAX_PACKAGE_CHARS = 300  # of a name, a version or an architecture: longer than any distribution has
HELD = "hold"
"""dpkg's selection of a package that its administrator wants left alone (`apt-mark hold`)."""

_BESIDE = re.compile(r"(installonlypkg|multiversion)\(")  # how Red Hat and SUSE mark packages like a kernel
_BESIDE_NAMES = frozenset(
    {"kernel", "kernel-core", "kernel-modules", "kernel-modules-core", "kernel-devel", "kernel-default"}
)


PackageStates: TypeAlias = tuple[tuple[str, str], ...]
"""(state, version) of a package. There are several for several architectures, or for kernels side by side.

The version is "" for a package whose first installation was interrupted.
"""


class PackageFile(KeptState, frozen=True):
    """What the package manager reads in a package's file: no recipe can be wrong about it."""

    name: str
    version: str
    """With its epoch, as it will be in the database."""
    architecture: str
    beside: bool = False
    """Whether it is installed beside its other versions, as kernels of rpm are, and never instead of them."""

    @property
    def exactly(self) -> str:
        """The rpm of exactly this version, as rpm names it (there without an epoch)."""
        return f"{self.name}-{self.version.rpartition(':')[2]}.{self.architecture}"


def read_package(output: str) -> PackageFile | None:
    """Return what a query of a package's file has printed (see `command_lines.file_query`); None: nothing usable."""
    first, *provides = output.splitlines() or [""]
    fields = first.split(" ")
    if len(fields) != 3 or not all(0 < len(text) <= MAX_PACKAGE_CHARS and text.isprintable() for text in fields):
        return None
    name, version, architecture = fields
    # only rpm lists what a package provides; dpkg's kernels have the version in their names
    beside = bool(provides) and (name in _BESIDE_NAMES or any(_BESIDE.match(provided) for provided in provides))
    return PackageFile(name, version, architecture, beside)


def package_states(output: str) -> PackageStates:
    """Return the states in a package query's output, without those that mean "not installed"."""
    states = []
    for line in output.splitlines():
        state, _, version = line.strip().partition(" ")
        if state and state not in {"not-installed", "config-files"}:
            states.append((state, version))
    return tuple(states)


def states_words(states: PackageStates) -> str:
    """Return what is there, to be compared and to be read."""
    return ", ".join(sorted(f"{version} {state}".strip() for state, version in states)) or "not installed"


def package_answer(check: PackageCheck, states: PackageStates, ecosystem: Ecosystem) -> CheckResult:
    """Return whether the queried package is completely installed, in the wanted version or a later one."""
    if not states:
        return found(False, f"{check.name} is not installed")
    seen = f"{check.name}: {states_words(states)}"
    whole = [version for state, version in states if state == "installed"]
    if not whole:
        state, version = states[0]
        return found(False, f"{f'{check.name} {version}'.rstrip()} is not whole but {state}", seen)
    try:
        wanted = parse_version(check.at_least, ecosystem)
        of = {version: parse_version(_compared(version, check), ecosystem) for version in whole}
    except InvalidVersionError as error:
        return unknown(f"{check.name} {whole[0]} cannot be compared: {error}", seen)
    newest = max(of, key=of.__getitem__)
    if of[newest] < wanted:
        return found(False, f"{check.name} {newest} is installed, {check.at_least} is wanted", seen)
    if of[newest] > wanted and isinstance(check, DerivedCheck) and check.exact:
        return found(False, f"{check.name} {newest} is installed, and it goes back to {check.at_least}", seen)
    return found(True, f"{check.name} {newest} is installed", seen)


def _compared(version: str, check: PackageCheck) -> str:
    ignores_epoch = isinstance(check, DerivedCheck) and not check.own
    return re.sub(r"^[0-9]+:", "", version) if ignores_epoch else version

"""May this be published? The one function that decides it, for `publish`, `prepare` and `lint`. Blocking.

It looks at the recipe, at its files and into them, and tells everything at once: all errors, and all warnings.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from bandwidth.profiles.toml_lines import KeyPath
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.documents import Manifest, Rollouts
from p2pdist.shared.manifest.publication_order import PublicationOrder
from p2pdist.shared.manifest.recipe import (
    ArchiveInstall,
    DebInstall,
    Install,
    MsiInstall,
    RpmInstall,
    ScriptInstall,
)
from p2pdist.shared.server_extra import of_server_extra
from seed_server.publishing.archive_contents import wanted_hashes
from seed_server.publishing.contents import Contents, InspectionError
from seed_server.publishing.findings import Finding, WrittenRecipe, top_key, top_keys, unplaced
from seed_server.publishing.inspect_archive import inspect_archive
from seed_server.publishing.inspect_rpm import inspect_rpm
from seed_server.publishing.inspect_script import inspect_script
from seed_server.publishing.plan import choose_piece_length, problems_beside
from seed_server.publishing.recipe import Recipe, RecipeProblem, recipe_problems
from seed_server.publishing.recipe_contents import Looked, content_problems, filled
from seed_server.publishing.recipe_warnings import recipe_doubts
from seed_server.store.content_store import SourceState, open_source, state_of


@dataclass(frozen=True)
class Publication:
    """What the operator asks for."""

    recipe: Recipe
    folder: Path = Path()
    """What the recipe's payload files are relative to."""
    written: WrittenRecipe | None = None
    """The file that the recipe is from; None: from options alone."""
    overridden: frozenset[str] = frozenset()
    """The keys of the top that options have taken the place of."""

    def sources(self) -> list[Path]:
        """Return the payload files."""
        return [self.folder / payload.file for payload in self.recipe.payload]


@dataclass(frozen=True)
class Examined:
    """What was found."""

    publication: Publication
    """With what its files say filled in."""
    findings: tuple[Finding, ...]
    """Errors first."""
    contents: tuple[Contents | None, ...]
    """What is in each payload; None: it was not looked into."""
    states: tuple[SourceState | None, ...]
    """What each file was when it was looked at."""

    @property
    def errors(self) -> list[Finding]:
        """Why it cannot be published."""
        return [finding for finding in self.findings if finding.level == "error"]

    def beside(self, published: Iterable[Manifest], rollouts: Rollouts, order: PublicationOrder) -> "Examined":
        """Return the same, with why it cannot follow what is published, as far as what is right of it says."""
        recipe = self.publication.recipe
        if not (recipe.patch_id and recipe.version):
            return self
        problems = problems_beside(recipe, published, rollouts, order, wrong=top_keys(self.errors))
        found = tuple(_finding(problem, self.publication, recipe) for problem in problems)
        return replace(self, findings=(*found, *self.findings))

    @property
    def warnings(self) -> list[Finding]:
        """What may surprise."""
        return [finding for finding in self.findings if finding.level == "warning"]

    def require(self) -> None:
        """Raise `UserError` (BAD_INPUT) with all errors where there are any."""
        if not self.errors:
            return
        written = self.publication.written
        source = "" if written is None else written.source
        lines = [error.as_text(source if error.line else "") for error in self.errors]
        raise UserError("\n".join(["This cannot be published. Correct it and try again:", *lines]), FaultKind.BAD_INPUT)


def examine(publication: Publication, now: float, *, whole: bool = True) -> Examined:
    """Return all that is wrong with or doubtful about a publication. ``now`` is in seconds since 1970.

    Unless it must be ``whole``, id, version and files may be missing: they are given when it is published.
    """
    written, recipe = publication.written, publication.recipe
    looks = [_look(publication, number) for number in range(1, len(recipe.payload) + 1)]
    looked = Looked([look.contents for look in looks])
    found = [problem for look in looks for problem in look.problems]
    recipe = filled(recipe, looked)
    type_errors = [] if written is None else written.errors(publication.overridden)
    found += recipe_problems(recipe, whole=not type_errors and not found)
    wrong = {problem.where for problem in found}  # what is no version at all need not be compared
    found += [problem for problem in content_problems(recipe, looked) if problem.where not in wrong]
    if whole:
        found += _missing(recipe, {finding.where.partition(",")[0] for finding in type_errors})
    found += [
        RecipeProblem(doubt.where, doubt.text, level="warning")
        for doubt in recipe_doubts(recipe, now, _reading(publication, looks))
        if not whole or doubt.where not in ("patch_id", "version", "payload")
    ]
    findings = type_errors + [_finding(problem, publication, recipe) for problem in _once(found)]
    findings.sort(key=lambda finding: (finding.level != "error", finding.line or 0, finding.column or 0))
    filled_in = Publication(recipe, publication.folder, written, publication.overridden)
    states = tuple(look.state for look in looks)
    return Examined(filled_in, tuple(findings), tuple(looked.contents), states)


def _reading(publication: Publication, looks: "Sequence[_Look]") -> Callable[..., bool]:
    """Return what says whether the recipe has at a path what its file says, and whether a payload could be read."""
    written = publication.written
    unread: set[KeyPath] = {
        ("payload", number) for number, look in enumerate(looks) if look.problems and not look.contents
    }
    unread |= set() if written is None else written.unread(publication.overridden)
    return lambda *path: not any(path[: len(one)] == one[: len(path)] for one in unread)


def _once(found: Sequence[RecipeProblem]) -> list[RecipeProblem]:
    return list(dict.fromkeys(found))


def _finding(problem: RecipeProblem, publication: Publication, recipe: Recipe) -> Finding:
    if publication.written is None or top_key(problem) in publication.overridden:
        return unplaced(problem, recipe.applies_to)
    return publication.written.placed(problem)


def _missing(recipe: Recipe, wrong: set[str]) -> Iterator[RecipeProblem]:
    for given, key, what in (
        (recipe.patch_id, "patch_id", "patch id: give --patch-id, or patch_id in a recipe"),
        (recipe.version, "version", "version: give --version, or version in a recipe"),
        (recipe.payload, "payload", "payload: give a FILE, or [[payload]] in a recipe"),
    ):
        if not given and key not in wrong:
            yield RecipeProblem(key, f"There is no {what}.")


# --- one file ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Look:
    contents: Contents | None
    state: SourceState | None
    problems: tuple[RecipeProblem, ...] = ()


def _look(publication: Publication, number: int) -> _Look:
    payload = publication.recipe.payload[number - 1]
    where = f"payload {number}, file"
    state = None
    try:
        with open_source(publication.folder / payload.file) as file:
            state = state_of(file)
            choose_piece_length(file.seek(0, 2))
            file.seek(0)
            contents, doubt = _inspected(file, publication.recipe)
    except UserError as error:
        if error.kind is FaultKind.FAILED:  # the fault is not the file's
            raise
        return _Look(None, state, (RecipeProblem(where, f"{where}: {error.message}"),))
    except InspectionError as error:
        return _Look(None, state, (RecipeProblem(where, f"{where}: {payload.file_name}: {error}"),))
    doubts = (RecipeProblem(where, f"{where}: {payload.file_name}: {doubt}", level="warning"),) if doubt else ()
    return _Look(contents, state, doubts)


def _inspected(file: BinaryIO, recipe: Recipe) -> tuple[Contents | None, str]:
    """Return what is in the file, and a doubt. Raises `InspectionError`."""
    install: Install | None = recipe.install
    match install:
        case DebInstall():
            with of_server_extra():
                from seed_server.publishing.inspect_deb import inspect_deb
            return inspect_deb(file), ""
        case RpmInstall():
            return inspect_rpm(file), ""
        case MsiInstall():
            with of_server_extra():
                from seed_server.publishing.inspect_msi import inspect_msi
            return inspect_msi(file), ""
        case ScriptInstall():
            return inspect_script(file, install.interpreter), ""
        case ArchiveInstall():
            tree = inspect_archive(file, strip_components=install.strip_components, hashed=wanted_hashes(recipe))
            unread = "only Python 3.14 and later, here and on PCs, can look into a zstd archive"
            return tree, unread if tree is None else ""
        case _:
            return None, ""

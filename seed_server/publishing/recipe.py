"""A recipe: what an operator says of a patch, and everything that is wrong with it. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.identifiers import (
    InvalidIdentifierError,
    PatchRef,
    check_relation,
    parse_file_name,
    parse_patch_id,
    parse_patch_version,
)
from p2pdist.shared.manifest.cves import MAX_CVES, is_cve
from p2pdist.shared.manifest.documents import (
    MAX_PAYLOADS,
    MAX_TITLE_CHARS,
    DecodeError,
    Manifest,
    Payload,
    Platform,
    Relations,
    Severity,
    Titles,
    check_recipe,
    decode_manifest,
    encode_manifest,
)
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS, ExpressionError, parse_expression
from p2pdist.shared.manifest.recipe import (
    Checks,
    DebInstall,
    HealthCheck,
    Install,
    MsiInstall,
    RpmInstall,
    ScheduleRules,
    end_of_day,
)
from p2pdist.shared.manifest.recipe_checks import RecipeError, check_install, check_one, schedule_errors
from p2pdist.shared.manifest.relations import OrderedPatch, OrderError, check_relations
from p2pdist.shared.wire.codec import Record

RELATIONS = ("requires", "supersedes", "conflicts")
MAX_FILE_CHARS = 4_096  # as long as a path can be
_SHOWN_CHARS = 100  # of an expression, around the place that is marked
Level: TypeAlias = Literal["error", "warning"]
_DIGEST = "0" * 64  # stands for a hash that is not known yet


class PayloadFile(Record, frozen=True):
    """One variant's file; the words are those of `manifest.Payload`."""

    file: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_FILE_CHARS)]
    """Relative to the recipe's folder; parts are divided by ``/``."""
    platform: Platform = ""
    arch: Platform = ""
    language: Platform = ""

    @property
    def file_name(self) -> str:
        """The bare name, as endpoints see it."""
        return self.file.rsplit("/", 1)[-1]

    @property
    def variant(self) -> tuple[str, str, str]:
        """What a PC chooses by."""
        return self.platform, self.arch, self.language


class Recipe(Record, frozen=True):
    """What a recipe file holds; fields as in `Manifest`. Empty id, version and payload: given when it is published."""

    patch_id: str = ""
    version: str = ""
    title: Annotated[str, msgspec.Meta(max_length=MAX_TITLE_CHARS)] = ""
    titles: Titles = msgspec.field(default_factory=dict)
    severity: Severity = "medium"
    cvss: Annotated[float, msgspec.Meta(ge=0.0, le=10.0)] | None = None
    cves: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_CVES)] = ()
    """Numbers of the weaknesses that it mends; what is none is told with its place, by `recipe_problems`."""
    applies_to: Annotated[str, msgspec.Meta(max_length=MAX_EXPRESSION_CHARS)] = ""
    requires: Relations = ()
    supersedes: Relations = ()
    conflicts: Relations = ()
    payload: Annotated[tuple[PayloadFile, ...], msgspec.Meta(max_length=MAX_PAYLOADS)] = ()
    install: Install | None = None
    detect: Checks = ()
    health: HealthCheck | None = None
    schedule: ScheduleRules = ScheduleRules()
    downgrade: bool = False
    repack: bool = False
    """Whether its files are published unpacked where that changes nothing on a PC; no manifest tells it."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it describes."""
        return PatchRef(self.patch_id, self.version)


@dataclass(frozen=True, slots=True)
class RecipeProblem:
    """Something for which a recipe is refused, or a warning."""

    where: str
    """The key, such as ``detect 2``, or ``schedule, windows``."""
    text: str
    column: int | None = None
    """Of the wrong place in an expression, from 1."""
    level: Level = "error"

    def explained(self, recipe: Recipe) -> str:
        """Return the text, and under it the expression with its wrong place marked."""
        return self.text if self.column is None else f"{self.text}\n{pointed(recipe.applies_to, self.column)}"


def manifest_of(recipe: Recipe, payloads: Sequence[Payload], published_at: int) -> Manifest:
    """Return the manifest, without its place in the order; ``payloads`` are those of the recipe, hashed."""
    return Manifest(
        format=1,
        patch_id=recipe.patch_id,
        version=recipe.version,
        title=recipe.title,
        severity=recipe.severity,
        cvss=recipe.cvss,
        published_at=published_at,
        payloads=list(payloads),
        requires=recipe.requires,
        supersedes=recipe.supersedes,
        conflicts=recipe.conflicts,
        applies_to=recipe.applies_to,
        install=recipe.install,
        detect=recipe.detect,
        health=recipe.health,
        schedule=_with_whole_days(recipe.schedule),
        downgrade=recipe.downgrade,
        titles=recipe.titles or msgspec.UNSET,
        cves=recipe.cves or msgspec.UNSET,
    )


def _with_whole_days(rules: ScheduleRules) -> ScheduleRules:
    deadline = rules.deadline and end_of_day(rules.deadline)
    return rules if deadline == rules.deadline else msgspec.structs.replace(rules, deadline=deadline)


def recipe_problems(recipe: Recipe, *, whole: bool = True) -> list[RecipeProblem]:
    """Return every problem that the recipe alone shows; a part that it leaves out is no problem.

    Without ``whole``, parts are missing that stand in its files, or in it; how they go together is not looked at.
    """
    problems = [problem for where, check in _checks(recipe, whole=whole) for problem in _caught(where, check)]
    problems += [RecipeProblem(error.where, str(error)) for error in schedule_errors(recipe.schedule)]
    return problems or (list(_caught("recipe", lambda: _check_whole(recipe))) if whole else [])


def pointed(expression: str, column: int) -> str:
    """Return two lines: what is around ``column``, and a caret under it."""
    flat = re.sub(r"\s", " ", expression)
    start = max(0, column - 1 - _SHOWN_CHARS // 2)
    before = flat[start : column - 1]
    columns = sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in before)
    return f"    {flat[start : start + _SHOWN_CHARS]}\n    {' ' * columns}^"


def _checks(recipe: Recipe, *, whole: bool) -> Iterator[tuple[str, Callable[[], object]]]:
    install, health = recipe.install, recipe.health
    if recipe.patch_id:
        yield "patch_id", lambda: parse_patch_id(recipe.patch_id)
    if recipe.version:
        yield "version", lambda: parse_patch_version(recipe.version)
    yield from _title_checks(recipe)
    yield "cvss", lambda: _check_cvss(recipe.cvss)
    yield from _cve_checks(recipe.cves)
    if recipe.applies_to:
        yield "applies_to", lambda: parse_expression(recipe.applies_to)
    for kind in RELATIONS:
        for number, relation in enumerate(getattr(recipe, kind), 1):
            yield f"{kind} {number}", lambda relation=relation: check_relation(relation)  # type: ignore[misc]
    yield "relations", lambda: _check_among_themselves(recipe)
    for number, payload in enumerate(recipe.payload, 1):
        where = f"payload {number}"
        yield f"{where}, file", lambda payload=payload: parse_file_name(payload.file_name)  # type: ignore[misc]
        yield where, lambda number=number: _check_variant(recipe.payload, number)  # type: ignore[misc]
    if install is not None:
        yield "install", lambda: check_install(install if whole and recipe.payload else _with_what_files_say(install))
    for name, checks in (("detect", recipe.detect), ("health", health.checks if health else ())):
        for number, one in enumerate(checks, 1):
            yield name, lambda place=f"{name} {number}", one=one: check_one(place, one)  # type: ignore[misc]


def _title_checks(recipe: Recipe) -> Iterator[tuple[str, Callable[[], object]]]:
    titles = {"title": recipe.title, **{f"titles, {language}": title for language, title in recipe.titles.items()}}
    for where, title in titles.items():
        yield where, lambda where=where, title=title: _check_title(where, title)  # type: ignore[misc]


def _cve_checks(cves: Sequence[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    for number in range(1, len(cves) + 1):
        yield f"cves {number}", lambda number=number: _check_cve(cves, number)  # type: ignore[misc]


def _caught(where: str, check: Callable[[], object]) -> Iterator[RecipeProblem]:
    try:
        check()
    except ExpressionError as error:
        yield RecipeProblem(where, f"{where}: {error}", error.column)
    except RecipeError as error:
        yield RecipeProblem(error.where, str(error))
    except (InvalidIdentifierError, OrderError, DecodeError) as error:
        yield RecipeProblem(where, f"{where}: {error}")


def _check_title(where: str, title: str) -> None:
    if len(title) > MAX_TITLE_CHARS:
        raise RecipeError(where, f"it has {len(title)} characters, and may have {MAX_TITLE_CHARS}; shorten it")
    strange = next((sign for sign in title if not sign.isprintable()), None)
    if strange is not None:
        what = "is not UTF-8" if "\ud800" <= strange <= "\udfff" else f"has {strange!r} in it, which cannot be shown"
        raise RecipeError(where, f"it {what}; write one line of text in UTF-8")


def _check_cvss(cvss: float | None) -> None:
    if cvss is not None and not 0.0 <= cvss <= 10.0:
        raise RecipeError("cvss", f"a CVSS score is from 0.0 to 10.0, not {cvss}")


def _check_cve(cves: Sequence[str], number: int) -> None:
    where, cve = f"cves {number}", cves[number - 1]
    if not is_cve(cve):
        raise RecipeError(where, f"{cve[:40]!r} is no CVE number; write it as CVE-2026-1234")
    if cve in cves[: number - 1]:
        raise RecipeError(where, f"{cve} is there twice; remove one")


def _check_among_themselves(recipe: Recipe) -> None:
    new = OrderedPatch(recipe.ref, 1, recipe.requires, recipe.supersedes, recipe.conflicts)
    # whether what it requires is published, is seen when it is published
    required = {PatchRef.of_relation(name) for name in recipe.requires}
    check_relations(new, [OrderedPatch(ref, 0) for ref in required if ref != new.ref])


def _check_variant(payloads: Sequence[PayloadFile], number: int) -> None:
    payload = payloads[number - 1]
    for earlier, other in enumerate(payloads[: number - 1], 1):
        if other.variant == payload.variant:
            raise RecipeError(
                f"payload {number}",
                f"it has the platform, arch and language of payload {earlier}, so no PC would take it; "
                "say in which of them it differs",
            )
        if other.file == payload.file:
            raise RecipeError(f"payload {number}", f"it is the file of payload {earlier}; one payload is enough for it")


def _with_what_files_say(install: Install) -> Install:
    """Return ``install`` with anything in place of what is read from the files, which are given to `publish`."""
    if isinstance(install, DebInstall | RpmInstall) and not install.package:
        return msgspec.structs.replace(install, package="package")
    if isinstance(install, MsiInstall) and not install.product_code:
        return msgspec.structs.replace(install, product_code=f"{{{'00000000-0000-0000-0000-000000000000'}}}")
    return install


def _check_whole(recipe: Recipe) -> None:
    """Run the checks that endpoints run."""
    files = recipe.payload or (PayloadFile(file="file"),)
    payloads = [Payload(one.file_name, 1, _DIGEST, _DIGEST, one.platform, one.arch, one.language) for one in files]
    install = recipe.install and _with_what_files_say(recipe.install)
    changes = {"patch_id": recipe.patch_id or "patch", "version": recipe.version or "1", "install": install}
    named = msgspec.structs.replace(recipe, **changes)
    manifest = manifest_of(named, payloads, 0)
    check_recipe(manifest)
    decode_manifest(encode_manifest(manifest))  # its size, and what options have filled in unchecked

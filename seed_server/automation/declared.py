"""What the files in a directory say a fleet is to be, checked: all that is wrong is said at once. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec

from bandwidth.profiles.toml_document import TomlDocument, TomlTextError
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import InvalidIdentifierError
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.manifest.template import MAX_TEMPLATES, Template
from p2pdist.shared.toml_config import TomlFileError, TomlProblem, parse_toml, parse_toml_file, placed_problem
from p2pdist.shared.toml_misfits import misfits
from p2pdist.shared.wire.codec import Record
from seed_server.automation.declared_files import DeclaredFiles
from seed_server.automation.declared_layout import (
    PEOPLE_FILE,
    PROFILES_FOLDER,
    SETTINGS_FILE,
    SITES_FILE,
    TEMPLATES_FOLDER,
    known_keys,
    named_by,
)
from seed_server.fleet.accounts import checked_account_name
from seed_server.fleet.names import nearest
from seed_server.fleet.people_checks import check_scope, checked_roles, checked_sites, checked_tags
from seed_server.fleet.people_operations import MAX_PEOPLE
from seed_server.fleet.roles import Role
from seed_server.line.site_map import SiteEntry, SitesFile, parse_site_map
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.profiles import profile_in_text
from seed_server.signing.templates import template_in_text

MAX_SHOWN_PROBLEMS = 100  # of all files together: who has more corrects these first

T = TypeVar("T")


class DeclaredPerson(Record, frozen=True):
    """One ``[[person]]`` of ``people.toml``."""

    name: str
    roles: Annotated[tuple[Role, ...], msgspec.Meta(min_length=1)]
    sites: tuple[str, ...] = ()
    """Of the scope, as ``tags``; none of both: the whole fleet."""
    tags: tuple[str, ...] = ()
    disabled: bool = False


class PeopleFile(Record, frozen=True):
    """All of ``people.toml``."""

    person: Annotated[tuple[DeclaredPerson, ...], msgspec.Meta(max_length=MAX_PEOPLE)] = ()


@dataclass(frozen=True)
class Declared:
    """What a fleet is to be; None: nothing is said of a kind, so that it stays as it is."""

    sites: Sequence[SiteEntry] | None = None
    sites_text: str = ""
    profiles: Mapping[str, SiteProfile] | None = None
    """By site."""
    templates: Mapping[str, Template] | None = None
    """By name."""
    people: Sequence[DeclaredPerson] | None = None
    settings: Mapping[str, Any] | None = None
    """By key, as TOML has them."""


def parse_declared(files: DeclaredFiles) -> Declared:
    """Return what ``files`` say. Raises `UserError` (BAD_INPUT) that has every problem in a line of its own."""
    problems = list(files.problems)

    def tried(parse: Callable[[], T]) -> T | None:
        try:
            return parse()
        except (UserError, InvalidIdentifierError) as error:
            problems.append(error.message if isinstance(error, UserError) else str(error))
            return None

    def documents(folder: str, parse: Callable[[str, str, str], T]) -> dict[str, T] | None:
        if folder not in files.folders:
            return None
        found = {}
        for path, text in files.below(folder).items():
            try:
                name = named_by(path)
            except InvalidIdentifierError as error:
                problems.append(f"{path}: {error}")
                continue
            document = tried(lambda text=text, name=name, path=path: parse(text, name, path))  # type: ignore[misc]
            if document is not None:
                found[name] = document
        return found

    texts = files.texts
    declared = Declared(
        sites=tried(lambda: _sites(texts[SITES_FILE])) if SITES_FILE in texts else None,
        sites_text=texts.get(SITES_FILE, ""),
        profiles=documents(PROFILES_FOLDER, lambda text, name, path: profile_in_text(text, name, source=path)),
        templates=documents(TEMPLATES_FOLDER, lambda text, name, path: template_in_text(text, name, source=path)),
        people=tried(lambda: _people(texts[PEOPLE_FILE])) if PEOPLE_FILE in texts else None,
        settings=tried(lambda: _settings(texts[SETTINGS_FILE])) if SETTINGS_FILE in texts else None,
    )
    if declared.templates is not None and len(declared.templates) > MAX_TEMPLATES:
        problems.append(f"{TEMPLATES_FOLDER}: there are {len(declared.templates)}, and a PC takes {MAX_TEMPLATES}.")
    check_none(problems)
    return declared


def check_none(problems: Sequence[str]) -> None:
    """Raise `UserError` (BAD_INPUT) where there are problems."""
    if not problems:
        return
    shown = [*problems[:MAX_SHOWN_PROBLEMS]]
    if len(problems) > len(shown):
        shown.append(f"… and {len(problems) - len(shown)} more.")
    raise UserError("\n".join(shown), FaultKind.BAD_INPUT)


def _sites(text: str) -> Sequence[SiteEntry]:
    parse_site_map(text, source=SITES_FILE)
    return parse_toml(text, SitesFile, source=SITES_FILE).site


def _people(text: str) -> Sequence[DeclaredPerson]:
    file = parse_toml_file(text, PeopleFile, source=PEOPLE_FILE)
    people: dict[str, DeclaredPerson] = {}
    problems: list[TomlProblem] = []
    for place, written in enumerate(file.value.person):
        try:
            person = _person(written)
            if person.name in people:
                raise UserError(f"{person.name} is there twice; remove one.", FaultKind.BAD_INPUT)
            people[person.name] = person
        except UserError as error:
            problems += file.error(error.message, "person", place, "name").problems
    if problems:
        raise TomlFileError(PEOPLE_FILE, *problems)
    return tuple(people.values())


def _person(written: DeclaredPerson) -> DeclaredPerson:
    """Return an account as operations make it. Raises `UserError`."""
    person = DeclaredPerson(
        checked_account_name(written.name),
        checked_roles(written.roles),
        checked_sites(written.sites),
        checked_tags(written.tags),
        written.disabled,
    )
    check_scope(person.roles, limited=bool(person.sites or person.tags))
    return person


def _settings(text: str) -> dict[str, Any]:
    try:
        document = TomlDocument.parse(text)
    except TomlTextError as error:
        problem = TomlProblem((), f"{error}. Correct it and try again.", error.line, error.column)
        raise TomlFileError(SETTINGS_FILE, problem) from error
    known = known_keys(ServerSettings.__struct_fields__)
    problems = [
        placed_problem(document, (key,), _not_here(key, known), of_value=False)
        for key in document.values
        if key not in known
    ]
    # what the machine says of itself is no matter here, and the type asks for it
    of_fleet = {key: value for key, value in document.values.items() if key in known}
    problems += [
        placed_problem(document, found.path, found.text, of_value=found.of_value)
        for found in misfits({"name": "-", "address": "-", **of_fleet}, ServerSettings)
    ]
    if not problems:
        try:
            msgspec.convert({"name": "-", "address": "-", **of_fleet}, ServerSettings)
        except msgspec.ValidationError as error:  # of a type that `misfits` does not know
            problems.append(TomlProblem((), f"{error}. Correct it and try again."))
    if problems:
        raise TomlFileError(SETTINGS_FILE, *problems)
    return of_fleet


def _not_here(key: str, known: Sequence[str]) -> str:
    if key in ServerSettings.__struct_fields__:
        return f"{key} is the machine's, and not the fleet's: change it in server.toml on the server."
    near = nearest(key, known)
    hint = f"did you mean {near!r}?" if near else f"known keys are {', '.join(sorted(known))}."
    return f"unknown key {key!r}; {hint}"

"""`seed-server apply`: what files say is compared with what is there, and carried out by the operations. Blocking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.automation.apply_changes import SIGNS, Change
from seed_server.automation.apply_plan import ApplyPlan, make_plan
from seed_server.automation.declared import Declared, check_none, parse_declared
from seed_server.automation.declared_files import files_in_text, read_directory
from seed_server.automation.declared_layout import SETTINGS_FILE
from seed_server.automation.declared_present import read_present
from seed_server.fleet import document_operations, home_file_operations, people_operations, preparing
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation, require
from seed_server.fleet.ring_templates import RingTemplate
from seed_server.fleet.roles import NO_PC
from seed_server.fleet.rollout_queries import ring_template
from seed_server.fleet.shipped_rings import SHIPPED_RINGS
from seed_server.signing.bundle import Bundle
from seed_server.signing.key_files import OfflineKeys

APPLY, ENDED_EARLY = "apply files", "apply ended early"
"""Operations of the entries of a run: what it is about to do, and how far it came where it could not do all."""
KEY_OF = {"profile": "profiles", "template": "patches"}
"""Which offline key signs what."""
BUNDLE_OF = {"profile": "profiles.bundle", "template": "templates.bundle"}

log = lazy_log()


@dataclass(frozen=True)
class Applied:
    """What a run did."""

    plan: ApplyPlan
    bundles: Sequence[tuple[Path, Bundle]] = ()
    """What waits for signatures now."""


def read_plan(context: Context, directory: Path, *, prune: bool = False) -> ApplyPlan:
    """Return what is to be done so that the server is as the files in ``directory`` say. Changes nothing.

    Raises `UserError`: BAD_INPUT with every problem in a line of its own; NOT_SET_UP, STORAGE, BUSY.
    """
    context.settings()  # what is wrong with the home as a whole is said first
    declared = parse_declared(read_directory(directory))
    check_none(_template_problems(declared))
    return make_plan(declared, read_present(context), prune=prune)


def plan_of_text(context: Context, text: str, name: str, *, prune: bool = False) -> ApplyPlan:
    """Return the same for files in one text, `files_in_text`; raises as `read_plan`.

    Ring templates in files of the server are not looked at: whoever sent the text may not be one who may read these.
    """
    context.settings()
    files = files_in_text(text, name)
    if not files.texts and not files.problems:
        raise UserError("There is nothing in the text.", FaultKind.BAD_INPUT)
    declared = parse_declared(files)
    check_none(_template_problems(declared, only_shipped=True))
    return make_plan(declared, read_present(context), prune=prune)


def check_rights(plan: ApplyPlan, context: Context, actor: Actor) -> None:
    """Raise `UserError` (REFUSED) where ``actor`` may not do all of a plan: nothing of it is done then."""
    for right in dict.fromkeys(one.right for one in plan.changes):
        require(context, actor, *right)


def wanted_keys(plan: ApplyPlan) -> tuple[str, ...]:
    """Return the offline keys that a plan needs, in a fixed order."""
    return tuple(key for kind, key in KEY_OF.items() if any(one.kind == kind for one in plan.changes))


@operation("look", reach=NO_PC)
def apply_plan(
    context: Context, actor: Actor, plan: ApplyPlan, keys: OfflineKeys, source: str, *, prepare: Path | None = None
) -> Applied:
    """Carry a plan out, each change by its own operation. ``source`` says in the audit log where it comes from.

    One entry says what the run is about to do, before the operations write theirs; all have the same request. With
    ``prepare``, a folder, profiles and templates are not signed here: bundles are written there. Raises `UserError`:
    REFUSED for a right that is missing, or a key, before anything is done; else as the operations, and then another
    entry says what was done, and what was not.
    """
    check_rights(plan, context, actor)
    if not plan.changes:
        return Applied(plan)
    if prepare is None:
        for key in wanted_keys(plan):
            keys.load(key)
    with context.audited(actor, Deed(APPLY, f"{source}: {_counts(plan)}", details=summary(plan.changes))):
        pass
    bundles: list[tuple[Path, Bundle]] = []
    done: list[Change] = []
    for changes, step in _steps(context, actor, plan, keys, prepare, bundles):
        try:
            step()
        except BaseException as error:
            _ended_early(context, actor, source, error, done, plan)
            raise
        done += changes
    log.info("files applied", source=source, changes=len(plan.changes))
    return Applied(plan, bundles)


def summary(changes: Sequence[Change]) -> dict[str, str]:
    """Return a run in words, by kind: ``+nora ~ola -eva``."""
    found: dict[str, str] = {}
    for one in changes:
        kind = "people" if one.kind == "person" else f"{one.kind}s"
        found[kind] = f"{found.get(kind, '')} {SIGNS[one.action]}{one.name}".strip()
    return found


def _counts(plan: ApplyPlan) -> str:
    """Return how much a run does, for a line of a list: ``+2 ~1 -0``."""
    return " ".join(f"{sign}{sum(one.action == action for one in plan.changes)}" for action, sign in SIGNS.items())


def _steps(
    context: Context,
    actor: Actor,
    plan: ApplyPlan,
    keys: OfflineKeys,
    prepare: Path | None,
    bundles: list[tuple[Path, Bundle]],
) -> list[tuple[Sequence[Change], Callable[[], object]]]:
    """Return what is done one after the other, each with the changes that it makes."""
    present = plan.present
    assert present is not None

    def sign_profiles() -> None:
        if prepare is None:
            document_operations.set_profiles(context, actor, plan.profiles, keys)
            return
        path = prepare / BUNDLE_OF["profile"]
        bundles.append((path, preparing.prepare_profiles(context, actor, plan.profiles, path)))

    def sign_templates() -> None:
        if prepare is None:
            document_operations.set_templates(context, actor, plan.templates, keys)
            return
        path = prepare / BUNDLE_OF["template"]
        bundles.append((path, preparing.prepare_templates(context, actor, plan.templates, path)))

    def set_sites() -> None:
        home_file_operations.set_site_map(context, actor, plan.sites_text, before=present.sites_text)

    def set_settings() -> None:
        changed = tuple(one.name for one in plan.of("setting"))
        home_file_operations.change_settings(
            context, actor, plan.settings_text, before=present.settings_text, changed=changed
        )

    whole: list[tuple[Sequence[Change], Callable[[], object]]] = [
        (plan.of("site"), set_sites),
        (plan.of("profile"), sign_profiles),
        (plan.of("template"), sign_templates),
    ]
    whole += [((one,), _person_step(context, actor, plan, one)) for one in plan.of("person")]
    whole.append((plan.of("setting"), set_settings))
    return [(changes, step) for changes, step in whole if changes]


def _person_step(context: Context, actor: Actor, plan: ApplyPlan, change: Change) -> Callable[[], object]:
    if change.action == "remove":
        return lambda: people_operations.remove_person(context, actor, change.name)
    person = plan.people[change.name]
    if change.action == "change":
        return lambda: people_operations.set_account(
            context,
            actor,
            person.name,
            roles=person.roles,
            sites=person.sites,
            tags=person.tags,
            disabled=person.disabled,
        )

    def add() -> None:
        people_operations.add_person(
            context, actor, person.name, roles=person.roles, sites=person.sites, tags=person.tags
        )
        if person.disabled:
            people_operations.set_disabled(context, actor, person.name, disabled=True)

    return add


def _ended_early(
    context: Context, actor: Actor, source: str, error: BaseException, done: Sequence[Change], plan: ApplyPlan
) -> None:
    reason = error.message if isinstance(error, UserError) else type(error).__name__
    left = [one for one in plan.changes if one not in done]
    details = {f"done: {kind}": words for kind, words in summary(done).items()}
    details |= {f"not done: {kind}": words for kind, words in summary(left).items()}
    try:
        with context.audited(actor, Deed(ENDED_EARLY, source, reason=reason, details=details)):
            pass
    except UserError as second:  # the first error is to be seen
        log.warning("the audit log cannot say now how far a run came", reason=second.message)


def _template_problems(declared: Declared, *, only_shipped: bool = False) -> list[str]:
    """Return what is wrong with the ring templates that settings choose: they are read when a patch is published.

    ``only_shipped``: no other file is looked at.
    """
    problems = []
    for key in ("rollout_template", "emergency_template"):
        named = (declared.settings or {}).get(key)
        if not isinstance(named, str) or not named or (only_shipped and named not in SHIPPED_RINGS):
            continue
        if named not in SHIPPED_RINGS and named.endswith(".toml") and not _is_own_file(Path(named)):
            problems.append(f"{SETTINGS_FILE}: {key}: {named[:80]} is no file on this server. Write its whole path.")
            continue
        try:
            template: RingTemplate = ring_template(named)
        except UserError as error:
            problems.append(f"{SETTINGS_FILE}: {key}: {error.message}")
            continue
        if key == "emergency_template" and template.least_cvss is None:
            problems.append(
                f"{SETTINGS_FILE}: {key}: {named[:80]} does not say for which patches it is. Write least_cvss = 9.0 "
                "into it, or name another one."
            )
    return problems


def _is_own_file(path: Path) -> bool:
    return path.is_absolute() and path.is_file()

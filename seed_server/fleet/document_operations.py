"""Several throttle profiles, or diagnosis templates, are signed at once: one new version for PCs. Blocking.

One by one they go through `operations`.
"""

from collections.abc import Mapping

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.manifest.template import MAX_TEMPLATES, Template
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation, require
from seed_server.fleet.roles import Area
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.profiles import PROFILES
from seed_server.signing.templates import TEMPLATES, template_names

log = lazy_log()


@operation("profiles", reach=None)
def set_profiles(context: Context, actor: Actor, profiles: Mapping[str, SiteProfile | None], keys: OfflineKeys) -> None:
    """Sign the throttle profiles of several sites, and take those away that are None. A running server uses it at once.

    Writes the repository. Needs the profiles key. Raises `UserError`: NOT_SET_UP, REFUSED (key), STORAGE, BUSY.
    """
    require(context, actor, "profiles", tuple(Area(site=site) for site in profiles))
    deed = _deed("set profiles", "sites", profiles)
    PROFILES.sign_all(context.repository(context.recorded(actor, deed)), keys, profiles, context.clock.now())
    log.info("profiles set", **deed.details)


@operation("templates")
def set_templates(context: Context, actor: Actor, templates: Mapping[str, Template | None], keys: OfflineKeys) -> None:
    """Sign several diagnosis templates, and take those away that are None; answers to them are forgotten.

    Writes repository and database. Needs the patches key. Raises as `set_profiles`; BAD_INPUT for too many.
    """
    deed = _deed("set templates", "templates", templates)
    repository = context.repository(context.recorded(actor, deed))
    gone = {name for name, template in templates.items() if template is None}
    if len((template_names(repository) | templates.keys()) - gone) > MAX_TEMPLATES:
        raise UserError(
            f"There would be more than {MAX_TEMPLATES} templates, and a PC takes no more. Remove some.",
            FaultKind.BAD_INPUT,
        )
    now = context.clock.now()  # from then on, PCs may answer to the new ones
    TEMPLATES.sign_all(repository, keys, templates, now)
    names = template_names(repository)
    with context.database() as database:
        for name in templates:
            database.forget_diagnoses(name, now)
        database.forget_other_diagnoses(names, now)
    log.info("templates set", **deed.details)


def _deed(operation_name: str, what: str, documents: Mapping[str, object | None]) -> Deed:
    deed = Deed(operation_name, next(iter(documents)) if len(documents) == 1 else f"{len(documents)} {what}")
    deed.details = {
        "set": " ".join(sorted(name for name, document in documents.items() if document is not None)),
        "removed": " ".join(sorted(name for name, document in documents.items() if document is None)),
    }
    return deed

"""The table of routes: all that the API does, and what FastAPI's routes, OpenAPI and docs/api.md are made of."""

from typing import Any

from seed_server.web.api import (
    batches,
    events,
    openapi,
    routes_audit,
    routes_automation,
    routes_fleet,
    routes_patches,
    routes_people,
    routes_reporting,
    routes_signing,
)
from seed_server.web.api.route import Route

API_ROUTES: tuple[Route[Any, Any], ...] = (
    *routes_fleet.FLEET_ROUTES,
    *routes_patches.PATCH_ROUTES,
    *routes_people.PEOPLE_ROUTES,
    *routes_audit.AUDIT_ROUTES,
    *routes_signing.SIGNING_ROUTES,
    *routes_reporting.REPORT_ROUTES,
    *routes_automation.AUTOMATION_ROUTES,
    *batches.BATCH_ROUTES,
    *events.EVENT_ROUTES,
    *openapi.DESCRIBED,
)
"""Every row. To add one, add it to the tuple of its file; a new file's tuple is added here."""

_OFFLINE = "needs an offline key, which is no network's business: prepare, sign elsewhere, and finish"
_WITHIN = "is a part of another operation, which asks for its right"
_MACHINE = "is about this machine and its files: the command line does it"
_SECRET = "takes a secret of a person: the command line asks for it where they sit"  # noqa: S105 - words

NO_ROUTE: dict[str, str] = {
    "seed_server.fleet.document_operations.set_profiles": _OFFLINE,
    "seed_server.fleet.document_operations.set_templates": _OFFLINE,
    "seed_server.fleet.home_file_operations.change_settings": _MACHINE,
    "seed_server.fleet.home_file_operations.set_site_map": _MACHINE,
    "seed_server.fleet.passkey_operations.add_passkey": "is a browser's and its person's: a page does it",
    "seed_server.fleet.passkey_operations.rename_passkey": "is what a person calls their own key: a page does it",
    "seed_server.fleet.people_operations.set_account": "is setRoles, setScope and setDisabled in one, for apply",
    "seed_server.fleet.preparing.prepare_profiles": "is several of prepareProfile in one, for apply",
    "seed_server.fleet.preparing.prepare_templates": "is several of prepareTemplate in one, for apply",
    "seed_server.automation.applying.apply_plan": "takes a directory of files: programs ask for each change by itself",
    "seed_server.reporting.intelligence_operations.import_intelligence": "takes files of megabytes that lie on the "
    "server's disk: intelligence import does",
    "seed_server.fleet.api_token_operations.make_api_token": "no token makes a token: it would outlive itself",
    "seed_server.fleet.approver_list.set_approvers": _OFFLINE,
    "seed_server.fleet.audit_key.make_anchor": _WITHIN,
    "seed_server.fleet.audit_key.new_audit_key": _OFFLINE,
    "seed_server.fleet.moving.change_addresses": _OFFLINE,
    "seed_server.fleet.moving.leave_home": _MACHINE,
    "seed_server.fleet.operations.clear_profile": _OFFLINE,
    "seed_server.fleet.operations.publish": _OFFLINE,
    "seed_server.fleet.operations.remove_template": _OFFLINE,
    "seed_server.fleet.operations.renew": _OFFLINE,
    "seed_server.fleet.operations.set_profile": _OFFLINE,
    "seed_server.fleet.operations.set_template": _OFFLINE,
    "seed_server.fleet.people_operations.set_password": _SECRET,
    "seed_server.fleet.people_operations.set_second_factor": _SECRET,
    "seed_server.fleet.preparing.prepare_addresses": _MACHINE,
    "seed_server.fleet.preparing.prepare_approvers": "takes several files that name each other: the command line does",
    "seed_server.fleet.preparing.prepare_publication": "takes payloads of gigabytes that lie on the server's disk, and "
    "a path that came over the network could name any file there: publish --prepare does",
    "seed_server.fleet.rolling_back.close_where_it_goes_back": _WITHIN,
    "seed_server.fleet.rolling_back.roll_back": _OFFLINE,
    "seed_server.fleet.rollout_operations.abort_withdrawn": _WITHIN,
}
"""Operations that have no route, each with why."""

NO_COMMAND: dict[str, str] = {
    "apply": "takes a directory of files: programs ask for each change by itself",
    "apply EXPORT": "writes a directory of files: programs ask for each list by itself",
    "intelligence import": NO_ROUTE["seed_server.reporting.intelligence_operations.import_intelligence"],
    "webhook test": "waits for the answer of the receiver: a program looks at the delivery",
    "api-token make": NO_ROUTE["seed_server.fleet.api_token_operations.make_api_token"],
    "audit new-key": _OFFLINE,
    "backup": _MACHINE,
    "backup VERIFY": _MACHINE,
    "doctor": "examines this machine, its ports and its clock: run it there",
    "init": _MACHINE,
    "lint": "reads files of whoever writes a recipe: run it beside them",
    "login": "is a person's, at a terminal",
    "move": _MACHINE,
    "publish": _OFFLINE,
    "restore": _MACHINE,
}
"""Commands with ``--json`` that have no route, each with why."""

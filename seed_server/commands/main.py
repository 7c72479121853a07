"""The `seed-server` command line."""

from pathlib import Path

import click

from p2pdist import __version__
from p2pdist.shared.console import run_command_line, with_language
from p2pdist.shared.lazy_group import LazyCommand, LazyGroup
from p2pdist.shared.priority import give_way
from p2pdist.shared.wanted_log import want_log
from seed_server.commands.acting import TOKEN_VARIABLE, ask_to_act

_COMMANDS = {
    "init": LazyCommand("server_commands:init_command", "Make the home of a new server."),
    "serve": LazyCommand("server_commands:serve_command", "Serve endpoints, in the foreground."),
    "backup": LazyCommand("backup_commands:backup_command", "Back up the server while it serves; verify a backup."),
    "restore": LazyCommand("backup_commands:restore_command", "Make a server's home of a backup."),
    "publish": LazyCommand("recipe_commands:publish_command", "Sign a patch and offer it to every endpoint."),
    "lint": LazyCommand("recipe_commands:lint_command", "Check a recipe without publishing it."),
    "withdraw": LazyCommand("offer_commands:withdraw_command", "Stop a patch now: offer it to nobody any more."),
    "offer": LazyCommand("offer_commands:offer_command", "Offer a withdrawn patch again."),
    "list": LazyCommand("offer_commands:list_command", "Show what is offered, withdrawn and superseded."),
    "rollout": LazyCommand("rollout_commands:rollout_group", "Offer patches ring by ring."),
    "plan": LazyCommand("plan_commands:plan_command", "When a patch will be at each site, and when it was."),
    "exception": LazyCommand("exception_commands:exception_group", "Hold patches back from some PCs until a day."),
    "sign": LazyCommand("signing_commands:sign_command", "Sign a bundle on a machine that is not the server."),
    "finish": LazyCommand("signing_commands:finish_command", "Put in force what was prepared, and is signed now."),
    "prepared": LazyCommand("signing_commands:prepared_command", "List what waits for signatures, or drop it."),
    "keys": LazyCommand("key_commands:keys_group", "Which keys sign patches and profiles, and how many must."),
    "renew": LazyCommand("server_commands:renew_command", "Sign the offline metadata anew before it expires."),
    "token": LazyCommand("token_commands:token_group", "Print a token that enrols PCs; list and revoke tokens."),
    "status": LazyCommand("status_commands:status_command", "Show how far each patch is, and what needs a person."),
    "sites": LazyCommand("site_commands:sites_command", "Show how fast each site is sent to, and why."),
    "site": LazyCommand("site_commands:site_group", "Look at one site: what limits it, what its line did."),
    "doctor": LazyCommand(
        "doctor_commands:doctor_command", "Find what is wrong here or at a site, and who can mend it."
    ),
    "move": LazyCommand("move_commands:move_command", "Tell PCs another address of this server."),
    "profile": LazyCommand("profile_commands:profile_group", "Set, show or clear a site's throttle profile."),
    "template": LazyCommand("template_commands:template_group", "Ask every PC what it needs, and show the answers."),
    "endpoints": LazyCommand("endpoint_commands:endpoints_group", "List the enrolled endpoints; forget one."),
    "inventory": LazyCommand("inventory_commands:inventory_command", "Which PCs have what: openssl below 3.0.17, say."),
    "deny": LazyCommand("endpoint_commands:deny_command", "Refuse an endpoint from now on."),
    "allow": LazyCommand("endpoint_commands:allow_command", "Accept a denied endpoint again."),
    "metrics": LazyCommand("metrics_commands:metrics_command", "Print figures for a monitoring system."),
    "apply": LazyCommand("apply_commands:apply_command", "Make the server as files say: sites, profiles, people, …"),
    "posture-check": LazyCommand("posture_commands:posture_check_command", "Check what a PC has signed of itself."),
    "audit": LazyCommand("audit_commands:audit_group", "Who did what: list, verify and export the audit log."),
    "intelligence": LazyCommand(
        "intelligence_commands:intelligence_group", "What is known of weaknesses: import KEV and EPSS files."
    ),
    "priority": LazyCommand("priority_commands:priority_command", "Which open patch comes first, and why."),
    "report": LazyCommand("report_commands:report_group", "Service levels, missing PCs, what a patch did, history."),
    "archive": LazyCommand(
        "archive_commands:archive_group", "Months that have left the database: verify, search, hold."
    ),
    "disk": LazyCommand("disk_commands:disk_group", "What takes room on the server's disk; remove what nobody needs."),
    "login": LazyCommand("login_commands:login_command", "Log in by the identity provider, in a browser."),
    "logout": LazyCommand("login_commands:logout_command", "End what 'seed-server login' began."),
    "people": LazyCommand("people_commands:people_group", "Accounts: who may what, and for which PCs."),
    "api-token": LazyCommand("api_token_commands:api_token_group", "API tokens: what programs act by."),
    "webhook": LazyCommand("webhook_commands:webhook_group", "Tell other programs what happens here."),
    "approver": LazyCommand("approver_commands:approver_group", "Whose word PCs want before they take a rollout."),
}


@click.group(
    cls=LazyGroup,
    package="seed_server.commands",
    commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="seed-server")
@click.option(
    "--as",
    "as_name",
    metavar="NAME",
    help="Act as this account; asks for its password and code, if it is not logged in.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help=f"Act by the API token in this file; also from {TOKEN_VARIABLE}.",
)
def seed_server(as_name: str | None, token_file: Path | None) -> None:
    """Publish patches to a fleet, and follow them.

    \b
    Examples:
      seed-server init --name hq --address patches.example.com
      seed-server serve
      seed-server token                      one enrolment, within an hour
      seed-server publish office.msi --patch-id office --version 1.2 --severity high
      seed-server lint acme.toml && seed-server publish --recipe acme.toml
      seed-server status --watch
      seed-server --as alice withdraw acme --reason "crashes on start"

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not initialised, 5 refused (key, passphrase), 7 bad input,
    8 storage, 9 in use.
    """
    ask_to_act(as_name, token_file)
    want_log("warning")  # commands say themselves what they did; `serve` sets its own level


with_language(seed_server)


def main() -> None:
    """Run `seed-server`."""
    run_command_line(seed_server, obj=give_way)


if __name__ == "__main__":
    main()

"""`seed-server apply`: the settings of a fleet as files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.language import tr
from seed_server.automation.apply_documents import ExportDocument, apply_document
from seed_server.automation.apply_plan import ApplyPlan
from seed_server.automation.applying import apply_plan, check_rights, read_plan, wanted_keys
from seed_server.automation.declared_export import write_export
from seed_server.commands.apply_view import show_done, show_plan, show_stays
from seed_server.commands.options import actor_of, home_option, keys_in, offline_option, passphrase_option
from seed_server.fleet.context import Context


@dataclass(frozen=True)
class _Options:
    only_plan: bool
    prune: bool
    exit_code: bool
    export: bool
    prepare: Path | None
    offline_keys: Path | None
    passphrase: bytes | None


EXIT_WITH_DIFFERENCES = 2  # as other tools of this kind end, where they are asked to tell by the exit code


@click.command("apply")
@home_option
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--plan", "only_plan", is_flag=True, help="Show what differs, and change nothing.")
@click.option("--prune", is_flag=True, help="Remove what the files do not have, of the kinds that they have.")
@click.option("--exit-code", is_flag=True, help="With --plan: end with 2 where anything differs.")
@click.option("--export", is_flag=True, help="The other way: write what is there now as files into DIRECTORY.")
@click.option(
    "--prepare",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Sign nothing here: write what is to be signed into this folder, for 'seed-server sign'.",
)
@offline_option
@passphrase_option
@json_option
def apply_command(context: Context, directory: Path, as_json: bool, **given: Any) -> None:
    """Make the server as the files in DIRECTORY say: sites.toml, profiles/SITE.toml, templates/NAME.toml, people.toml
    and settings.toml. What differs is shown first; then each change is made as if by its own command.

    What is not in the files stays, unless --prune says otherwise. A second run has nothing to change. Profiles are
    signed with the profiles key, templates with the patches key; without such changes no key is needed.

    \b
    Examples:
      seed-server apply fleet/ --export              the beginning: what is there now
      seed-server apply fleet/ --plan --exit-code    2: there are differences
      seed-server apply fleet/ --prune
    """
    options = _Options(**given)
    if options.exit_code and not options.only_plan:
        raise click.UsageError("--exit-code is for --plan.")
    if options.export:
        if options.only_plan or options.prune or options.prepare is not None:
            raise click.UsageError("--export goes without --plan, --prune and --prepare.")
        _export(context, directory, as_json=as_json)
        return
    plan = read_plan(context, directory, prune=options.prune)
    if not options.only_plan:
        _apply(context, plan, options, str(directory), as_json=as_json)
        return
    _show(plan, as_json=as_json)
    if options.exit_code and plan.changes:
        click.get_current_context().exit(EXIT_WITH_DIFFERENCES)


def _apply(context: Context, plan: ApplyPlan, options: _Options, source: str, *, as_json: bool) -> None:
    check_rights(plan, context, actor_of(context))  # before a passphrase is asked for
    if not as_json:
        show_plan(plan)
    wanted = wanted_keys(plan) if options.prepare is None else ()
    keys = keys_in(options.offline_keys or context.home.offline_keys, options.passphrase, *wanted)
    applied = apply_plan(context, actor_of(context), plan, keys, source, prepare=options.prepare)
    if as_json:
        bundles = {str(path): bundle.bundle_id for path, bundle in applied.bundles}
        print_json(apply_document(plan, applied=True, bundles=bundles))
    else:
        show_done(applied)


def _show(plan: ApplyPlan, *, as_json: bool) -> None:
    if as_json:
        print_json(apply_document(plan, applied=False, bundles={}))
        return
    show_plan(plan)
    show_stays(plan)


def _export(context: Context, directory: Path, *, as_json: bool) -> None:
    files = write_export(context, directory)
    if as_json:
        print_json(ExportDocument(tuple(files)))
        return
    say(tr("{number} files are written into {directory}.", number=len(files), directory=directory))

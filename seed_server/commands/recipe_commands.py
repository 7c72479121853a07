"""`seed-server publish` and `seed-server lint`."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import ExitCode, json_option, print_json, say, say_error
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words
from p2pdist.shared.manifest.recipe import INSTALL_KINDS
from seed_server.answers.operations import (
    LintDocument,
)
from seed_server.commands.completing import ring_templates
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import (
    CvssScore,
    actor_of,
    home_option,
    offline_keys_of,
    offline_option,
    optional_home_option,
    passphrase_option,
    prepare_option,
)
from seed_server.commands.progress import progress_bars
from seed_server.commands.publish_view import (
    SmallerTold,
    contents_document,
    finding_document,
    publish_document,
    repacked_document,
    show_expected,
    show_published,
    show_repacked,
)
from seed_server.commands.rollout_starting import say_started
from seed_server.commands.signing_commands import finish_bundle, show_prepared
from seed_server.commands.texts import counted, utc_minute
from seed_server.fleet import operations, preparing, queries, rollout_queries
from seed_server.fleet.context import Context
from seed_server.fleet.rollout_starting import start_published
from seed_server.publishing.check_shorthand import CheckTextError
from seed_server.publishing.examination import Examined, Publication
from seed_server.publishing.recipe import Recipe
from seed_server.publishing.recipe_files import read_recipe
from seed_server.publishing.recipe_options import OptionsError, overridden_by, with_options

F = TypeVar("F", bound=Callable[..., object])

_OPTIONS = (
    click.argument("file", type=click.Path(path_type=Path), required=False),
    click.option(
        "--recipe", metavar="FILE.toml", type=click.Path(path_type=Path), help="All of the following, from a file."
    ),
    click.option("--patch-id", metavar="ID", help="What this is a patch of; stays the same for all versions."),
    click.option("--version", metavar="V", help="A version that was not published before."),
    click.option("--title", metavar="TEXT", help="One line for people."),
    click.option(
        "--severity",
        type=click.Choice(["low", "medium", "high", "critical"]),
        help="How urgent it is; medium when not given.",
    ),
    click.option("--cvss", type=CvssScore(), metavar="N", help="CVSS score, 0.0 to 10.0."),
    click.option("--cve", "cves", multiple=True, metavar="CVE", help="A weakness that it mends; again for more."),
    click.option("--applies-to", metavar="EXPR", help="Which PCs it is for; all when not given."),
    click.option("--install", "kind", type=click.Choice(INSTALL_KINDS), help="How it is installed."),
    click.option("--package", metavar="NAME", help="For deb and rpm: the package's name; else it is read from FILE."),
    click.option("--directory", metavar="DIR", help="For archive: where on the PC it is unpacked."),
    click.option(
        "--interpreter",
        type=click.Choice(["sh", "bash", "python3", "powershell"]),
        help="For script: what runs it.",
    ),
    click.option("--argument", "arguments", multiple=True, metavar="A", help="For script and exe; again for each."),
    click.option("--product-code", metavar="{CODE}", help="For msi: the product's; else it is read from FILE."),
    click.option("--kb", type=click.IntRange(1, 99_999_999), metavar="N", help="For msu: its article's number."),
    click.option("--detect", multiple=True, metavar="CHECK", help="What holds where it is installed; again for more."),
    click.option("--health", multiple=True, metavar="CHECK", help="What works afterwards, else it is rolled back."),
    click.option("--window", "windows", multiple=True, metavar="TEXT", help="When it may be installed."),
    click.option("--deadline", metavar="TIME", help="When it is installed at the latest, ISO 8601."),
    click.option("--emergency", is_flag=True, help="Wait for no window."),
    click.option("--requires", multiple=True, metavar="ID[@V]", help="A patch that comes first; again for more."),
    click.option("--supersedes", multiple=True, metavar="ID[@V]", help="A patch that this replaces."),
    click.option(
        "--repack",
        is_flag=True,
        help="Publish its files unpacked where PCs install the same: the next version takes less of the line.",
    ),
    click.option("--downgrade", is_flag=True, help="Go back to this older version on purpose."),
    click.option("--conflicts", multiple=True, metavar="ID[@V]", help="A patch that this does not go with."),
)


def _with_recipe_options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("publish")
@home_option
@_with_recipe_options
@offline_option
@passphrase_option
@prepare_option
@click.option(
    "--finish",
    metavar="BUNDLE",
    type=click.Path(path_type=Path),
    help="Publish what was prepared and is signed in this file; like 'seed-server finish'.",
)
@click.option(
    "--template",
    default=None,
    metavar="NAME|FILE",
    shell_complete=ring_templates,
    help="By which rings it is offered; else as server.toml says.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why by that template, where it wants to know.")
@json_option
def publish_command(
    context: Context,
    file: Path | None,
    recipe: Path | None,
    prepare: Path | None,
    finish: Path | None,
    template: str | None,
    reason: str,
    as_json: bool,
    **given: Any,
) -> None:
    """Sign FILE, or what a recipe names, and offer it to every endpoint; a running server tells them at once.

    \b
    Examples:
      seed-server publish office.msi --patch-id office --version 1.2
          only delivered
      seed-server publish acme_2.1_amd64.deb --patch-id acme \\
          --install deb --health 'unit acme.service' \\
          --applies-to 'os.family == "debian" and installed("acme")' \\
          --window 'mon-fri 22:00-05:00' --deadline 2026-12-01T18:00
      seed-server publish --recipe acme.toml --version 2.2
          docs/recipes.md: how to write one
      seed-server publish --recipe acme.toml --prepare acme.bundle
      seed-server publish --finish acme.bundle
          signed in between on another machine, by 'seed-server sign'

    \b
    Checks:
      package acme >= 2.1                  file /opt/acme/VERSION sha256=HEX
      command /usr/bin/acme -V => 2.1      unit acme.service

    Packages are looked into: name, version and architecture are read from them. Archives and scripts are checked.
    The same files under the same ID and version again repair what was damaged on this server's disk.
    """
    offline_keys, passphrase = given.pop("offline_keys"), given.pop("passphrase")
    if finish is not None:
        if file or recipe or prepare or template or reason or any(given.values()):
            raise click.UsageError("--finish publishes what was prepared; give nothing else with it.")
        finish_bundle(context, finish, as_json=as_json)
        return
    publication = _publication(file, recipe, given)
    given_template = rollout_queries.template_for(context, template, publication.recipe.cvss)
    rings = given_template.template
    rings.check_reason(publication.recipe.cvss, reason)  # before anything is published
    if prepare is not None:
        if template or reason:
            raise click.UsageError(
                "What is prepared goes by rollout_template and emergency_template in server.toml: set it there."
            )
        with _interruptible(), progress_bars() as on_progress:
            smaller = SmallerTold()
            bundle = preparing.prepare_publication(
                context,
                actor_of(context),
                publication,
                prepare,
                on_progress=on_progress,
                on_smaller=smaller.tell,
                by_rings=not rings.at_once,
            )
        show_prepared(bundle, prepare, as_json=as_json)
        if not as_json:
            smaller.show(publication.recipe)
        return
    keys = offline_keys_of(context, offline_keys, passphrase, "patches")
    with _interruptible(), progress_bars() as on_progress:
        published = operations.publish(
            context, actor_of(context), publication, keys, on_progress=on_progress, offered=rings.at_once
        )
    started = (
        None
        if published.repaired
        else start_published(context, published.patch.ref, given_template, reason, actor=actor_of(context))
    )
    if as_json:
        print_json(publish_document(published))
    else:
        show_published(published)
        _show_contents(published.examined)
        show_repacked(published.repacked)
        show_expected(published.examined.publication.recipe, published.predicted)
        say_started(started)
    _show_warnings(published.examined)
    _warn_of_expiry(context)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise UserError(
            "Interrupted. The patch is published only if 'seed-server status' lists it; if not, run publish again.",
            FaultKind.FAILED,
        ) from None


@click.command("lint", cls=LookingCommand)
@optional_home_option
@click.argument("recipe", type=click.Path(path_type=Path))
@json_option
def lint_command(context: Context | None, recipe: Path, as_json: bool) -> None:
    """Check RECIPE and look into its files; publish nothing. It exits with 0 when only warnings are left, else 7.

    With the server's home, what is published already counts too.

    \b
    Examples:
      seed-server lint acme.toml
      seed-server lint acme.toml --json | jq -r '.findings[] | .text'
    """
    examined = queries.lint(context, recipe, SystemClock().now())
    findings, errors = examined.findings, len(examined.errors)
    repacked = queries.would_repack(examined)
    if as_json:
        shown = LintDocument(
            recipe=str(recipe),
            valid=not errors,
            findings=tuple(map(finding_document, findings)),
            contents=contents_document(examined),
            repacked=tuple(map(repacked_document, repacked)),
        )
        print_json(shown)
    else:
        for finding in findings:
            say(finding.as_text(str(recipe)))
        _show_contents(examined)
        show_repacked(repacked)
    if errors:
        say_error(f"{recipe} cannot be published: {counted(errors, 'error')}.")
        raise SystemExit(ExitCode.BAD_INPUT)  # a `UserError` would print a second JSON document after the answer
    if not as_json:
        warnings = f", with {counted(len(findings), 'warning')}" if findings else ""
        say(f"{recipe} can be published{warnings}.")


def _publication(file: Path | None, recipe: Path | None, given: dict[str, Any]) -> Publication:
    if recipe is None:
        for value, name in ((file, "FILE"), (given["patch_id"], "--patch-id")):
            if value is None:
                raise click.UsageError(f"{name} is missing; give it, or a --recipe that has it.")
        if given["version"] is None and given["kind"] not in ("deb", "rpm", "msi"):
            raise click.UsageError("--version is missing; give it, or a --recipe that has it.")
        known, folder, written = Recipe(), Path(), None
    else:
        written = read_recipe(recipe)
        known, folder = written.recipe, recipe.parent
        file = file and file.absolute()  # relative to the current directory, not to the recipe
    given = {**given, "file": file and file.as_posix()}
    try:
        return Publication(with_options(known, given), folder, written, overridden_by(given))
    except (OptionsError, CheckTextError) as error:
        raise click.UsageError(f"{error}.") from error


def _show_contents(examined: Examined) -> None:
    for payload, found in zip(examined.publication.recipe.payload, examined.contents, strict=True):
        if found is not None:
            say(f"{payload.file_name}: {found}")


def _show_warnings(examined: Examined) -> None:
    written = examined.publication.written
    for warning in examined.warnings:
        source = written.source if written is not None and warning.line else ""
        click.echo(in_words(warning.as_text(source)), err=True)


def _warn_of_expiry(context: Context) -> None:
    for expiry in queries.soon_expiring(context):
        click.echo(
            in_words(
                f"warning: the {expiry.role} metadata is valid until {utc_minute(expiry.expires_at)}; run "
                "'seed-server renew' with the offline keys before."
            ),
            err=True,
        )

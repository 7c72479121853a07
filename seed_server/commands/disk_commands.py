"""`seed-server disk`: what takes room on the server's disk, what for, and what may go."""

from collections.abc import Iterable

import click
from rich.text import Text

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.console import json_option, print_json
from p2pdist.shared.default_group import DefaultGroup
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.tables import NAME_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.disk_documents import disk_clean_document, disk_document, files_going
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option
from seed_server.commands.texts import utc_minute
from seed_server.fleet.content_operations import clean_content, read_content
from seed_server.fleet.context import Context
from seed_server.fleet.disk_usage import ContentFile, DiskUsage, UsageKind, read_disk
from seed_server.publishing.content_needs import UseOfContent
from seed_server.publishing.content_plan import Because, ContentPlan

SHOWN_FILES = 20  # the largest; whoever wants all takes --json


class _DiskGroup(DefaultGroup):
    """``disk --json`` is ``disk show --json``."""

    default = "show"


@click.group("disk", cls=_DiskGroup)
def disk_group() -> None:
    """Show what takes room on the server's disk and what for, or remove what nobody needs. Without a command, it is
    `disk show`.

    \b
    Examples:
      seed-server disk
      seed-server disk clean --dry-run
    """


@disk_group.command("show", cls=LookingCommand, short_help="Show what takes room, and what for.")
@home_option
@json_option
def show_command(context: Context, as_json: bool) -> None:
    """Show what takes room on the server's disk, which files of patches are kept for what, and which ones go.

    A running server removes by itself, once a day, what has had its time by [retention] in server.toml, and what there
    is no room for by its content_gb. What PCs may be sent, or may be offered again, never goes.

    \b
    Examples:
      seed-server disk
      seed-server disk --json | jq '.content[] | select(.needed | not) | .uses[].patch'
    """
    found = read_disk(context)
    if as_json:
        print_json(disk_document(found))
        return
    terminal = wide_terminal()
    terminal.print(_kinds(found))
    if found.payloads:
        terminal.print()
        terminal.print(_files(found.payloads[:SHOWN_FILES]))
        if (more := len(found.payloads) - SHOWN_FILES) > 0:
            click.echo(tr("… and {number} smaller files: --json lists all.", number=f"{more:,}"))
    click.echo()
    for line in _summary(found):
        click.echo(line)


@disk_group.command("clean", short_help="Remove what nobody needs.")
@home_option
@click.option("--all", "everything", is_flag=True, help="All that nobody needs, also what has not had its time.")
@click.option("--dry-run", is_flag=True, help="Say what would go and why, and remove nothing.")
@json_option
def clean_command(context: Context, everything: bool, dry_run: bool, as_json: bool) -> None:
    """Remove files of patches that nobody needs and that have had their time, as a running server does once a day.

    They are of patches that are superseded or withdrawn for good, so that no PC may install them. To install one again
    means to publish it again, from its file. The audit log says what has gone. Coded pieces of files that have gone go
    too, and those that the disk has no room for; --all removes all coded pieces, which are made again.

    \b
    Examples:
      seed-server disk clean --dry-run
      seed-server disk clean --all
    """
    if dry_run:
        plan = read_content(context, at_once=everything)
    else:
        plan = clean_content(context, actor_of(context), at_once=everything)
    if as_json:
        print_json(disk_clean_document(plan, dry_run=dry_run))
        return
    if plan.removals:
        wide_terminal().print(_files(files_going(plan)))
    click.echo(_gone(plan, dry_run=dry_run))
    if plan.coded_bytes:
        click.echo(_coded(plan, dry_run=dry_run))
    if plan.idle_bytes and not everything:
        click.echo(
            tr(
                "Nobody needs another {size}, which goes in its time; at once: seed-server disk clean --all",
                size=bytes_text(plan.idle_bytes),
            )
        )
    if plan.over_bytes:
        click.echo(_no_room(plan))


def _gone(plan: ContentPlan, *, dry_run: bool) -> str:
    number, size = len(plan.removals), bytes_text(plan.bytes)
    if plan.expired:
        return _nothing_goes(plan)
    if not number:
        return tr("There is nothing that has had its time.")
    if dry_run:
        return tr("{number} files with {size} would go.", number=number, size=size)
    return tr("{number} files with {size} are removed.", number=number, size=size)


def _coded(plan: ContentPlan, *, dry_run: bool) -> str:
    size = bytes_text(plan.coded_bytes)
    if dry_run:
        return tr("{size} of coded pieces would go; they are made again where they are missing.", size=size)
    return tr("{size} of coded pieces are removed; they are made again where they are missing.", size=size)


def _kinds(found: DiskUsage) -> FactTable:
    table = FactTable()
    table.column(tr("kind"))
    table.column(tr("files"), tr("size"), right=True)
    table.sentences(tr("what it is"))
    for one in found.used:
        what = _what(one.kind)
        below = Text(f"{_name(one.kind)}: {what}")
        table.row(_name(one.kind), f"{one.files:,}", bytes_text(one.bytes), sentences=[what], below=below)
    return table


def _name(kind: UsageKind) -> str:
    return {
        "content": tr("files of patches"),
        "coded": tr("coded pieces"),
        "signed": tr("signed metadata"),
        "database": tr("database"),
        "archive": tr("archives"),
        "prepared": tr("bundles"),
        "presented": tr("handed in"),
        "keys": tr("keys"),
        "leftovers": tr("temporary files"),
        "other": tr("others"),
    }[kind]


def _what(kind: UsageKind) -> str:
    return {
        "content": tr("content/, as below"),
        "coded": tr("coded/: smaller updates, made again where missing"),
        "signed": tr("tuf/: what PCs fetch first"),
        "database": tr("state.db"),
        "archive": tr("archive/: months of history"),
        "prepared": tr("prepared/: they wait for signatures"),
        "presented": tr("presented/: signed files from PCs"),
        "keys": tr("keys/"),
        "leftovers": tr("one may be in use; of killed processes they go within a day"),
        "other": tr("settings, locks, and what is not the server's"),
    }[kind]


def _files(payloads: Iterable[ContentFile]) -> FactTable:
    table = FactTable()
    table.column(tr("patch"), least=NAME_CELLS, folds=True)
    table.column(tr("size"), right=True)
    table.sentences(tr("what for"))
    for one in payloads:
        name = ", ".join(dict.fromkeys(str(use.ref) for use in one.uses)) or one.sha256[:12]
        words = "; ".join(_reasons(one))
        table.row(name, bytes_text(one.bytes), sentences=[words], below=Text.assemble((f"{name}: ", "bold"), words))
    return table


def _reasons(one: ContentFile) -> list[str]:
    needed = [use for use in one.uses if use.needed]
    words = list(dict.fromkeys(map(_use, needed or one.uses))) or [tr("of no publication that is known here")]
    if one.idle_since is not None:
        words.append(tr("nobody needs it since {time}", time=utc_minute(one.idle_since)))
    if one.goes is not None:
        words.append(_goes(one.goes))
    return words


def _use(use: UseOfContent) -> str:
    if use.use == "offered" and use.superseded_by is not None:
        return tr("PCs are offered it, though {patch} supersedes it", patch=use.superseded_by)
    if use.use == "superseded":
        return tr("superseded by {patch}", patch=use.superseded_by)
    return {
        "offered": tr("PCs are offered it"),
        "rollout": tr("a rollout of it is under way"),
        "returns": tr("it may be offered again"),
        "fetched": tr("PCs fetch it still"),
        "prepared": tr("it waits for signatures"),
        "withdrawn for good": tr("withdrawn for good"),
    }[use.use]


def _goes(because: Because) -> str:
    return {
        "unlisted": tr("it goes: nothing refers to it"),
        "retention": tr("it goes: it has had its time"),
        "quota": tr("it goes: there is no room for it"),
        "asked": tr("it goes: all is to go that nobody needs"),
    }[because]


def _summary(found: DiskUsage) -> Iterable[str]:
    free, size = bytes_text(found.free_bytes), bytes_text(found.disk_bytes)
    yield tr("Free on this disk: {free} of {size}.", free=free, size=size)
    if found.content_free_bytes is not None:
        yield tr("Free on the disk of content/: {free}.", free=bytes_text(found.content_free_bytes))
    if found.unknown:
        yield tr("What rollouts and PCs need of these files is not known: {reason}", reason=in_words(found.unknown))
        if any(one.kind == "leftovers" for one in found.used):
            yield tr("The temporary files go by: seed-server disk clean")
    if found.plan.expired:
        yield _nothing_goes(found.plan)
    if found.idle_bytes:
        size, going = bytes_text(found.idle_bytes), bytes_text(found.plan.bytes)
        yield tr("Nobody needs {size} of these files. All at once: seed-server disk clean --all", size=size)
        if found.plan.bytes:
            yield tr("{going} of that go by themselves within a day.", going=going)
    if found.rules.held:
        yield tr("A legal hold keeps all that was published; 'seed-server archive list' shows it.")
    if found.plan.over_bytes:
        yield _no_room(found.plan)
    elif found.rules.most_bytes:
        yield tr("Files of patches may take {size} (content_gb).", size=bytes_text(found.rules.most_bytes))


def _nothing_goes(plan: ContentPlan) -> str:
    return tr(
        "Nothing goes by itself: by this machine's clock, signed roles have expired ({roles}). Check the clock, or run "
        "'seed-server renew'.",
        roles=", ".join(plan.expired),
    )


def _no_room(plan: ContentPlan) -> str:
    return tr(
        "Files of patches take {over} more than content_gb allows, and somebody may need all of them. Withdraw for "
        "good what is not to be installed any more (seed-server list), or raise content_gb in server.toml.",
        over=bytes_text(plan.over_bytes),
    )

"""`seed-server intelligence`: what the world knows of weaknesses, imported by hand."""

from collections.abc import Iterable
from pathlib import Path

import click
from rich.text import Text

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option
from seed_server.commands.texts import utc_minute
from seed_server.fleet.context import Context
from seed_server.fleet.intelligence_age import day, is_stale
from seed_server.reporting.intelligence_operations import KIND_NAMES, ImportedIntelligence, import_intelligence
from seed_server.reporting.intelligence_queries import KnownCve, read_cve, read_intelligence_state
from seed_server.reporting.priority_decision import KINDS, WorldKnowledge
from seed_server.reporting.priority_documents import (
    ImportedFileDocument,
    IntelligenceDocument,
    IntelligenceImportDocument,
    MovedPatchDocument,
    cve_document,
    source_documents,
)
from seed_server.reporting.priority_words import doubts_of, why_sentence

SHOWN_EXPLOITED = 10  # the newest; `intelligence show CVE` says of any


@click.group("intelligence")
def intelligence_group() -> None:
    """Import and show what is known of weaknesses: which are exploited (KEV), and how likely others are to be (EPSS).

    You bring the files: this server asks nobody.

    docs/priority.md: where the files are, and what follows from them.
    """


@intelligence_group.command("import", short_help="Take over a KEV or an EPSS file, or both.")
@home_option
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE …")
@click.option("--older", is_flag=True, help="Also what is older than what is known.")
@json_option
def import_command(context: Context, files: tuple[Path, ...], older: bool, as_json: bool) -> None:
    """Take over CISA's KEV catalogue (JSON) or FIRST's EPSS scores (CSV, or that as .gz), all or nothing. They take the
    place of those that are known; what a file is, is seen by what is in it.

    It says which published patches are more urgent now, and what to do.

    \b
    Examples:
      seed-server intelligence import known_exploited_vulnerabilities.json
      seed-server intelligence import kev.json epss_scores-current.csv.gz
    """
    done = import_intelligence(context, actor_of(context), files, older=older)
    now = context.clock.now()
    if as_json:
        print_json(_import_document(done, now))
    else:
        _show_import(done, now)


@intelligence_group.command("show", cls=LookingCommand, short_help="Show what is known, and from when.")
@home_option
@click.argument("cve", required=False, metavar="[CVE]")
@json_option
def show_command(context: Context, cve: str | None, as_json: bool) -> None:
    """Show by which files weaknesses are known, from when they are, and what was added last; or all that is known of
    one CVE, and which patches mend it.

    \b
    Examples:
      seed-server intelligence show
      seed-server intelligence show CVE-2026-1234 --json
    """
    now = context.clock.now()
    if cve is not None:
        one = read_cve(context, cve)
        if as_json:
            print_json(cve_document(one.known, tuple(map(str, one.patches)), one.world, now))
        else:
            _show_cve(one)
            _say_doubts(one.world, now)
        return
    world = read_intelligence_state(context)
    if as_json:
        print_json(IntelligenceDocument(source_documents(world, now), tuple(doubts_of(world, now))))
        return
    _show_sources(world, now)
    _say_doubts(world, now)


def _show_import(done: ImportedIntelligence, now: float) -> None:
    for one in done.files:
        source = one.source
        say(
            tr(
                "{kind} of {day}: {rows} CVEs; {new} new, {gone} gone.",
                kind=KIND_NAMES[source.kind],
                day=day(source.dated_at),
                rows=f"{source.rows:,}",
                new=f"{one.new:,}",
                gone=f"{one.gone:,}",
            )
        )
        if one.before is not None:
            say(tr("Before, it was that of {day}.", day=day(one.before.dated_at)))
    for moved in done.moved:
        mark = tr("More urgent now:") if moved.is_urgent else tr("Less urgent now:")
        say(f"{mark} {in_words(printable(why_sentence(moved.decision, now)))}")
        say(f"  {in_words(printable(moved.step.words))}")
        if moved.step.command:
            say(f"  → {printable(moved.step.command)}")
    if not done.moved:
        say(tr("No open patch has another priority by it."))
    _say_doubts(done.world, now)


def _show_sources(world: WorldKnowledge, now: float) -> None:
    if world.sources:
        table = FactTable()
        table.column(tr("file"), tr("of"), tr("imported"))
        table.column(tr("CVEs"), right=True)
        table.column(tr("version"), tr("by"))
        for kind in KINDS:
            if (one := world.sources.get(kind)) is not None:
                dated = Text(day(one.dated_at), style="yellow" if is_stale(one, now) else "")
                rows = f"{one.rows:,}"
                table.row(
                    KIND_NAMES[kind], dated, utc_minute(one.imported_at), rows, printable(one.version), one.imported_by
                )
        wide_terminal().print(table)
    newest = list(world.exploited.values())[:SHOWN_EXPLOITED]
    if newest:
        say(tr("Exploited since lately:"))
    for cve in newest:
        say(f"  {day(cve.added_at)} {cve.cve} {printable(cve.name)}")


def _show_cve(one: KnownCve) -> None:
    for line in _cve_lines(one):
        say(line)


def _cve_lines(one: KnownCve) -> Iterable[str]:
    known, kev, score = one.known, one.known.exploited, one.known.score
    if kev is not None:
        yield f"{known.cve}: {printable(kev.name)}"
        yield tr("It is exploited since {day}.", day=day(kev.added_at))
        if kev.ransomware:
            yield tr("Ransomware is known to use it.")
        if kev.due_at is not None:
            yield tr("CISA wants it mended by {day}.", day=day(kev.due_at))
        if kev.action:
            yield printable(kev.action)
    elif "kev" in one.world.sources:
        yield tr("{cve} is not known to be exploited.", cve=known.cve)
    if score is not None:
        yield tr(
            "EPSS expects it to be tried within 30 days with {share}; {part} of all CVEs are no more likely.",
            share=f"{score.probability * 100:.2f} %",
            part=f"{score.percentile * 100:.1f} %",
        )
    elif "epss" in one.world.sources:
        yield tr("EPSS has no score for {cve}.", cve=known.cve)
    if names := ", ".join(map(str, one.patches)):
        yield tr("Patches that mend it: {names}", names=names)
    else:
        yield tr("No patch that was published here names it.")


def _say_doubts(world: WorldKnowledge, now: float) -> None:
    for doubt in doubts_of(world, now):
        click.echo(in_words(doubt), err=True)


def _import_document(done: ImportedIntelligence, now: float) -> IntelligenceImportDocument:
    return IntelligenceImportDocument(
        files=tuple(
            ImportedFileDocument(
                kind=one.source.kind,
                dated_at=one.source.dated_at,
                rows=one.source.rows,
                before_dated_at=one.before.dated_at if one.before is not None else None,
                new=one.new,
                gone=one.gone,
            )
            for one in done.files
        ),
        moved=tuple(
            MovedPatchDocument(
                patch=str(one.decision.facts.ref),
                before=one.before,
                after=one.decision.leaf.priority,
                why=why_sentence(one.decision, now),
                command=one.step.command or None,
            )
            for one in done.moved
        ),
        doubts=tuple(doubts_of(done.world, now)),
    )

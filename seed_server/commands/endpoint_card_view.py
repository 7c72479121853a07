"""What `seed-server endpoints show` prints: one PC, for people and for programs."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import age_text
from p2pdist.shared.console import print_json
from p2pdist.shared.language import in_words, tr, trn
from p2pdist.shared.manifest.facts import FACTS
from p2pdist.shared.manifest.inventory import InventoryFact, PackageName
from p2pdist.shared.printable_text import printable
from p2pdist.shared.state_words import STATE_STYLES, state_word
from p2pdist.shared.tables import NAME_CELLS, PATCH_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.endpoint_documents import endpoint_card_document
from seed_server.commands.status_pcs import pc_table
from seed_server.commands.texts import FULL_COLUMNS, utc_minute
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_card import FINISHED, EndpointCard, read_endpoint
from seed_server.fleet.inventory_queries import DEFAULT_MAX_DAYS
from seed_server.fleet.known_inventories import Lately
from seed_server.fleet.standing import StatusQuestion
from seed_server.reporting.pc_words import SHARED_HINT, fact_words, inventory_words

FACT_CHARS = 40  # of a fact: its beginning tells it from others
PATCHES_OF_A_CARD = 12  # that are not done; `status --endpoint` shows all


def show_endpoint(context: Context, name: str, *, with_packages: bool, as_json: bool) -> None:
    """Print what is known of the PC that ``name`` names. Raises `UserError`."""
    card = read_endpoint(context, name, with_packages=with_packages)
    if as_json:
        print_json(endpoint_card_document(card))
    else:
        wide_terminal().print(Group(*_view(card, context.clock.now())))


def _view(card: EndpointCard, now: float) -> Iterator[RenderableType]:
    endpoint = card.endpoint
    yield Text.assemble((printable(endpoint.hostname), "bold"), f" ({endpoint.endpoint_id})")
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for heading, value in _facts(card, now):
        facts.add_row(heading, value)
    yield facts
    yield from _patches(card, now)
    yield from _steps(card)
    if card.packages is not None:
        yield from _packages(card.packages)


def _facts(card: EndpointCard, now: float) -> Iterator[tuple[str, RenderableType]]:
    endpoint, known = card.endpoint, card.known
    yield tr("state"), _state(card, now)
    place = tr("; ").join(filter(None, (printable(endpoint.site), endpoint.address)))
    yield tr("site"), place or tr("not known yet")
    if endpoint.claimed_site:
        yield "", Text(tr("claims {site}", site=printable(endpoint.claimed_site)), style="yellow")
    yield tr("software"), printable(endpoint.software) if endpoint.software else tr("not known yet")
    yield tr("system"), _system(card) or tr("it has not said yet")
    yield from _inventory(card, now)
    yield tr("tags"), " ".join(endpoint.tags) or tr("none")
    for place_in_list, one in enumerate(known.enrolments):
        by = tr("token {token} of {who}", token=one.token_id, who=printable(one.made_by or "?"))
        yield "" if place_in_list else tr("enrolled"), tr("; ").join((utc_minute(one.at), by))
    if not known.enrolments:
        yield tr("enrolled"), tr("; ").join((utc_minute(endpoint.enrolled_at), tr("the token is not known")))
    for gone in known.forgotten:
        when = utc_minute(gone.forgotten_at) if gone.forgotten_at else "?"
        yield "", Text(tr("it was forgotten at {time}, and came back", time=when), style="yellow")
    others = [one.endpoint_id for one in card.namesakes]
    if others:
        words = trn("{number} other PC has its name: {ids}", "{number} other PCs have its name: {ids}", len(others),
                    ids=", ".join(others[:3]) + (", …" if others[3:] else ""))  # fmt: skip
        yield tr("name"), Text(words, style="yellow")
    if endpoint.shared_with:
        yield tr("identity"), Text(in_words(SHARED_HINT), style="red")
    if endpoint.refuses:
        words = tr("refuses what is signed here: {reason}", reason=in_words(printable(endpoint.refuses)))
        yield tr("trust"), Text(words, style="red")
    if known.findings:
        codes = ", ".join(printable(code) for code in known.findings)
        yield tr("problems"), Text(tr("{codes} (see docs/doctor.md)", codes=codes), style="yellow")
    else:
        yield tr("problems"), tr("it has told of none")
    yield tr("beside it"), _beside(card)


def _state(card: EndpointCard, now: float) -> Text:
    endpoint = card.endpoint
    if endpoint.pending:
        return Text(tr("waits to be allowed"), style="yellow")
    ago = tr("seen {duration} ago", duration=in_words(age_text(max(0.0, now - endpoint.last_seen_at))))
    seen = ago if endpoint.last_seen_at else tr("never seen")
    if endpoint.denied:
        return Text.assemble((tr("denied"), "red"), tr("; "), seen)
    return Text(tr("connected"), style="green") if card.connected else Text(seen)


def _system(card: EndpointCard) -> str:
    facts = card.known.facts or {}
    names = ("os.id", "os.release", "os.build", "arch", "os.language")
    words = [printable(str(facts[name])) for name in names if name in facts]
    if "ram_mb" in facts:
        words.append(tr("{number} MB of memory", number=facts["ram_mb"]))
    return ", ".join(words)


def _inventory(card: EndpointCard, now: float) -> Iterator[tuple[str, RenderableType]]:
    head, words = card.inventory, inventory_words(card.inventory, asked=card.asked)
    if head is None:
        yield tr("inventory"), words
        return
    yield tr("inventory"), tr("; ").join((words, tr("told {time}", time=utc_minute(head.told_at))))
    if not Lately.within(DEFAULT_MAX_DAYS, now).holds(head.told_at):
        yield "", Text(tr("not told lately: in questions it counts as unknown"), style="yellow")
    facts = [f"{name} {_fact(head.facts[name])}" for name in sorted(FACTS.keys() & head.facts.keys())]
    if facts:
        yield tr("facts"), Text(", ".join(facts))


def _packages(packages: Sequence[tuple[PackageName, str]]) -> Iterator[RenderableType]:
    yield Text()
    yield Text(tr("Packages that it has told") if packages else tr("It has told no packages."), style="bold")
    table = FactTable()
    table.column(tr("package"), least=NAME_CELLS, folds=True)
    table.column(tr("version"), least=NAME_CELLS, folds=True)
    table.column(tr("rules"))
    for (ecosystem, name), version in packages:
        table.row(printable(name), printable(version), ecosystem.value)
    if packages:
        yield table


def _fact(value: InventoryFact) -> str:
    text = printable(fact_words(value))
    return text if len(text) <= FACT_CHARS else f"{text[: FACT_CHARS - 1]}…"


def _beside(card: EndpointCard) -> str:
    if not card.serving:
        return tr("not known: the server does not run")
    if not card.endpoint.site:
        return tr("not known yet")
    if not card.known.beside:
        return tr("no other PC of its site is connected")
    names = ", ".join(printable(one.hostname) for one in card.known.some_beside)
    more = ", …" if card.known.beside > len(card.known.some_beside) else ""
    return trn(
        "{number} other PC of its site is connected: {names}", "{number} other PCs of its site are connected: {names}",
        card.known.beside, names=names + more,
    )  # fmt: skip


def _patches(card: EndpointCard, now: float) -> Iterator[RenderableType]:
    lacking = [row for row in card.patches if row.reached not in FINISHED]
    yield Text()
    if not card.patches:
        yield Text(tr("No patch is published."))
        return
    if card.endpoint.denied:
        yield Text(tr("It is denied, and gets none of the patches."))
        return
    done = len(card.patches) - len(lacking)
    yield Text(tr("Patches: {done} of {all} done or not for it", done=done, all=card.total), style="bold")
    if lacking:
        question = StatusQuestion(endpoint=card.endpoint.endpoint_id)
        yield pc_table(lacking[:PATCHES_OF_A_CARD], question, FULL_COLUMNS, now)
    if len(lacking) > PATCHES_OF_A_CARD or done:
        command = f"seed-server status --endpoint {card.endpoint.endpoint_id}"
        yield Text(tr("all of them: {command}", command=command), style="dim")


def _steps(card: EndpointCard) -> Iterator[RenderableType]:
    yield Text()
    if (left_out := card.left_out) is not None:
        words = trn(
            "{number} step of it is not in the history, the last at {time}: it reports too much.",
            "{number} steps of it are not in the history, the last at {time}: it reports too much.",
            left_out.steps, time=utc_minute(left_out.last_at),
        )  # fmt: skip
        yield Text(words, style="yellow")
    if not card.steps:
        yield Text(tr("What it did lately: nothing is kept."))
        return
    yield Text(tr("What it did last"), style="bold")
    table = FactTable()
    table.column(tr("when"))
    table.column(tr("patch"), least=PATCH_CELLS)
    table.column(tr("came to"))
    explained = any(row.because for row in card.steps)
    table.sentences(*([tr("because")] if explained else []))
    for row in card.steps:
        patch, state = printable(f"{row.patch_id}@{row.version}"), row.install or row.state
        why = in_words(printable(row.because))
        below = Text.assemble((f"{patch}: ", "bold"), why) if why else None
        shown = Text(state_word(state), style=STATE_STYLES.get(state, ""))
        table.row(utc_minute(row.at), patch, shown, sentences=[why] if explained else [], below=below)
    yield table
    command = f"seed-server report history --endpoint {card.endpoint.endpoint_id}"
    yield Text(tr("all of it: {command}", command=command), style="dim")

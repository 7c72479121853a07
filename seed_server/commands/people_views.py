"""Accounts and API tokens as tables for people and documents for tools."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from p2pdist.shared.language import in_words, span, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, FactTable
from seed_server.commands.texts import utc_minute
from seed_server.fleet.permissions import EffectiveRight
from seed_server.store.people_rows import ApiTokenRow, PersonRow

_TOKEN_STYLES = {"open": "green", "revoked": "red"}


def scope_words(sites: Sequence[str], tags: Sequence[str]) -> str:
    """Return what rights are for."""
    named = [
        *(tr("site {site}", site=printable(site)) for site in sites),
        *(tr("tag {tag}", tag=printable(tag)) for tag in tags),
    ]
    return ", ".join(named) or tr("the whole fleet")


def people_table(people: Sequence[PersonRow]) -> RenderableType:
    """Return the table of accounts."""
    table = FactTable()
    table.column(tr("account"), least=NAME_CELLS, folds=True)
    table.column(tr("state"), tr("code"), tr("last login"))
    table.sentences(tr("roles"), tr("for"))
    for person in people:
        scope = scope_words(person.sites, person.tags)
        roles = ", ".join(person.roles)
        table.row(
            person.name,
            Text(tr("disabled"), style="red") if person.disabled else Text(tr("enabled"), style="green"),
            tr("yes") if person.totp else tr("no"),
            utc_minute(person.logged_in_at) if person.logged_in_at else tr("never"),
            sentences=(roles, scope),
            below=Text.assemble((f"{person.name}: ", "bold"), f"{roles}; {scope}"),
        )
    return table


def rights_table(rights: Sequence[EffectiveRight]) -> RenderableType:
    """Return the table of one account's rights."""
    table = FactTable()
    table.column(tr("right"), tr("has it"))
    table.sentences(tr("allows"), tr("by"), tr("for"))
    for row in rights:
        has = row.scope is not None
        scope = "" if row.scope is None else scope_words(sorted(row.scope.sites), sorted(row.scope.tags))
        said = (in_words(row.allows), ", ".join(row.roles), scope)
        table.row(
            row.permission,
            Text(tr("yes"), style="green") if has else Text(tr("no"), style="dim"),
            sentences=said,
            below=Text.assemble((f"{row.permission}: ", "bold"), tr("; ").join(one for one in said if one)),
        )
    return table


def tokens_table(tokens: Sequence[ApiTokenRow], now: float) -> RenderableType:
    """Return the table of API tokens."""
    words = {"open": tr("open"), "expired": tr("expired"), "revoked": tr("revoked")}
    table = FactTable()
    table.column(tr("token"), tr("state"))
    table.column(tr("account"), least=NAME_CELLS, folds=True)
    table.column(tr("expires"), tr("last use"))
    table.sentences(tr("is for"), tr("rights"), tr("for"))
    for token in tokens:
        state = token.state(now)
        said = (printable(token.label), ", ".join(token.permissions), scope_words(token.sites, token.tags))
        ends = utc_minute(token.expires_at)
        if state == "open":
            ends = tr("in {duration}", duration=span(token.expires_at - now))
        table.row(
            token.token_id,
            Text(words[state], style=_TOKEN_STYLES.get(state, "dim")),
            token.owner,
            ends,
            utc_minute(token.used_at) if token.used_at else tr("never"),
            sentences=said,
            below=Text.assemble((f"{token.token_id}: ", "bold"), tr("; ").join(said)),
        )
    return table

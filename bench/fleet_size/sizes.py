"""How large each scenario is. Pure."""

from typing import Annotated

import msgspec

Count = Annotated[int, msgspec.Meta(ge=1)]
Span = Annotated[float, msgspec.Meta(gt=0.0)]


class Sizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The sizes of all scenarios; those of the issue unless said otherwise."""

    connections: Count = 10_000
    """Real TLS connections at the same time: what this machine holds, with room for files of both sides."""
    pcs: Count = 25_000
    """Of a company; more than there are connections run as frames."""
    sites: Count = 500
    settle_seconds: Span = 10.0
    """After a start, and after the last PC has come, before it is watched; for which waits are timed at rest."""
    idle_seconds: Span = 120.0
    """For which connected PCs are watched that have nothing to do."""
    report_seconds: Span = 60.0
    """Between two reports of a PC."""
    reporting_seconds: Span = 600.0
    """For which PCs report."""
    reported_patches: Count = 20
    """Rows that each PC has in the state before it reports; each report changes one of them."""
    sampled_pcs: Count = 1_000
    """Whose reports are timed until they are committed."""
    packages: Count = 800
    """That a PC has, when it tells all."""
    live_patches: Count = 300
    """Which every PC has, when all return."""
    standing_pcs: Count = 2_000
    """Of these and all live patches, rows are written to weigh them."""
    users: Count = 20
    """That ask for status at the same time."""
    asking_seconds: Span = 120.0
    """For which they do."""
    published_patches: Count = 4_000
    """Before the publication that is measured."""
    branch_pcs: Count = 50
    """At the branch that the publication reaches; real daemons."""
    month_events: Count = 7_500_000
    """Steps of all PCs in the month that is archived and dropped."""
    months: Count = 24
    """After which status is looked at again."""
    further_month_events: Count = 250_000
    """Steps in each of these months."""
    inventory_packages: Count = 800
    """That each PC has."""


FULL = Sizes()
QUICK = Sizes(
    connections=500,
    pcs=1_000,
    sites=25,
    settle_seconds=5.0,
    idle_seconds=30.0,
    report_seconds=10.0,
    reporting_seconds=30.0,
    reported_patches=5,
    sampled_pcs=200,
    packages=100,
    live_patches=20,
    standing_pcs=200,
    users=4,
    asking_seconds=20.0,
    published_patches=50,
    branch_pcs=4,
    month_events=50_000,
    months=6,
    further_month_events=5_000,
    inventory_packages=200,
)
"""For development: shows that everything works, and says little about a company."""


def changed(sizes: Sizes, words: tuple[str, ...]) -> Sizes:
    """Return ``sizes`` with each ``name=number`` in its place. Raises `ValueError` that says what is wrong."""
    values: dict[str, str] = {}
    for word in words:
        name, equals, number = word.partition("=")
        if not equals or name not in Sizes.__struct_fields__:
            raise ValueError(f"{word!r} is no name=number with one of: {', '.join(Sizes.__struct_fields__)}")
        values[name] = number.replace("_", "")
    try:
        return msgspec.convert(msgspec.to_builtins(sizes) | values, Sizes, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error

"""How far PCs are that go back from a publication: in words, and with ``--json``."""

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from seed_server.fleet.way_back import GoneBack


def way_back_words(back: GoneBack | None) -> str:
    """Return it for people; empty: no PC goes back."""
    if back is None:
        return ""
    parts = [
        tr("{number} PCs went back", number=back.went_back),
        tr("{number} have still to", number=back.going_back),
        *([tr("{number} are off and had it", number=back.away)] if back.away else []),
        *(
            tr("{number} cannot: {why}", number=number, why=in_words(printable(why)))
            for why, number in back.cannot.items()
        ),
    ]
    return tr(", ").join(parts)

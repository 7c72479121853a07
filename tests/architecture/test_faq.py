"""docs/faq.md quotes what the programs really say."""

import re

from bench.catalogs import finished_sentences, own_messages
from bench.screens import PICTURES, status_picture
from tests.helpers.sources import ROOT

PAGE = (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
QUOTED = re.findall(r'^\| "([^|]*)" \|', PAGE, re.MULTILINE)


def said() -> set[str]:
    own = {text for message in own_messages() for text in ((message,) if isinstance(message, str) else message)}
    return {re.sub(r"\{[a-z_0-9]+\}", "…", text) for text in own | finished_sentences()}


def test_every_quoted_sentence_is_one_that_is_printed() -> None:
    assert len(QUOTED) > 40
    real = said()
    assert [sentence for sentence in QUOTED if sentence not in real] == []


def test_every_command_that_is_named_exists() -> None:
    from bandwidth.commands.main import bandwidth
    from p2pdist.commands.main import p2pdist
    from seed_server.commands.main import seed_server

    programs = {"bandwidth": bandwidth, "p2pdist": p2pdist, "seed-server": seed_server}
    named = sorted(set(re.findall(r"`(seed-server|p2pdist|bandwidth) ([a-z]+)", PAGE)))
    assert named
    assert [f"{program} {command}" for program, command in named if command not in programs[program].commands] == []


def test_the_picture_of_the_readme_is_what_the_command_draws() -> None:
    drawn = (PICTURES / "status.svg").read_text(encoding="utf-8")
    assert drawn == status_picture(), "run: python -m bench.screens"

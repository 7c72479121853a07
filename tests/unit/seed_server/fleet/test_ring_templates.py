"""`seed_server.fleet.ring_templates`: templates in TOML, and errors at their line."""

import pytest

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.rollout_plan import PlannedRing, check_plan
from p2pdist.shared.toml_config import TomlFileError
from seed_server.fleet.ring_templates import RingTemplate, parse_ring_template
from seed_server.fleet.shipped_rings import SHIPPED_RINGS, shipped_rings

GOOD = """\
title = "Two rings"
silent_after = "2d"
silent = "hold"
approvals = 2
least_cvss = 9.0

[[ring]]
name = "lab"
who = '"lab" in tags and os.family == "windows"'
soak = "4h"
success = 99.5
failure = 0.5
least_decided = 3

[[ring]]
name = "all"
share = 12.5
soak = "1d"
success = 95
failure = 2
least_failed = 4
approval = true
"""


def refused(text: str) -> str:
    with pytest.raises(TomlFileError) as error:
        parse_ring_template(text, "own", source="own.toml")
    return str(error.value)


def test_a_template_becomes_rings() -> None:
    assert parse_ring_template(GOOD, "own") == RingTemplate(
        "own",
        "Two rings",
        (
            PlannedRing(
                name="lab", who='"lab" in tags and os.family == "windows"', soak_seconds=14_400, success_share=9_950,
                failure_share=50, least_decided=3,
            ),
            PlannedRing(
                name="all", share=1_250, soak_seconds=86_400, success_share=9_500, failure_share=200, least_decided=1,
                least_failed=4, approval=True,
            ),
        ),
        172_800, "hold", 2, 9.0,
    )  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED_RINGS)
def test_the_shipped_ones_are_good(name: str) -> None:
    template = parse_ring_template(shipped_rings(name), name)
    assert template.at_once == (name == "all-at-once")
    if not template.at_once:
        check_plan(template.plan(PatchRef("acme", "1"), 1, "0" * 64, bytes(16)))
        assert (template.rings[0].who, template.rings[-1].share) == ('"test" in tags', 10_000)


def test_the_shipped_rings_have_the_names_that_are_promised() -> None:
    rings = parse_ring_template(shipped_rings("rings"), "rings").rings
    assert [ring.name for ring in rings] == ["test", "first", "fast", "broad", "last"]
    assert not rings[0].approval
    assert all(ring.approval for ring in rings[1:])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('soak = "4h"', 'soke = "4h"', "own.toml, line 10, column 1: unknown key 'soke'; did you mean 'soak'?"),
        ('soak = "4h"', 'soak = "soon"', "own.toml, line 10, column 8: soak: 'soon' is not a duration such as 30m"),
        ('soak = "4h"', 'soak = "91d"', "line 10, column 8: soak: 91d is over 90 days."),
        ('silent_after = "2d"', 'silent_after = "0d"', "line 2, column 16: silent_after: every PC would be silent"),
        ("success = 99.5", "success = 101", "line 11, column 11"),
        ('name = "all"', 'name = "lab"', "line 16, column 8: there are two rings lab"),
        ('"lab" in tags and', '"lab" in tag and', "line 9, column 7: who, column 10: there is no fact 'tag'"),
        ('"lab" in tags and', 'installed("acme") and', 'line 9, column 7: no ring can ask for installed("acme")'),
        ('"lab" in tags and', "disk.free_mb > 5 and", "line 9, column 7: no ring can ask for disk.free_mb"),
        ('"lab" in tags', 'package("a") < version("2") and not on_mains', 'ask for on_mains, package("a"): server'),
        ("approvals = 2", "approvals = 0", "line 22, column 12: ring all wants approval, and approvals = 0."),
        ("approvals = 2", "approvals = 9", "line 4, column 13"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_at_its_line(old: str, new: str, said: str) -> None:
    assert said in refused(GOOD.replace(old, new, 1))


def test_a_ring_that_can_have_no_pc_is_refused() -> None:
    again = GOOD + '[[ring]]\nname = "more"\nshare = 10\nsoak = "1d"\nsuccess = 95\nfailure = 2\n'
    assert "line 25, column 9: ring more has no PC: ring all has all of them already." in refused(again)
    parse_ring_template(again.replace("share = 10\n", "share = 13\n"), "own")

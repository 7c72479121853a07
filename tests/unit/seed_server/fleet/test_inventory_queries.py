"""`seed_server.fleet.inventory_queries`: which PCs, of how many it is not known, and what is refused."""

import pytest

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.inventory import Inventory
from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.fleet.context import Context
from seed_server.fleet.inventory_queries import InventoryAnswer, InventoryQuestion, ask_inventory
from seed_server.store.rows import SeenRow
from tests.helpers.history_home import copied, moment, new_home
from tests.helpers.told_inventories import debian, tell

NOW = moment(2026, 11, 15)
HOUR, DAY = 3_600.0, 86_400.0
OLD_SSL = 'package("openssl") < version("3.0.17")'


class SlowClock(SystemClock):
    """A second passes whenever anybody looks."""

    def monotonic(self) -> float:
        self.seconds = getattr(self, "seconds", 0.0) + 1.0
        return self.seconds

    def now(self) -> float:
        return NOW


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Return a home with PCs that have told much, little, long ago and nothing."""
    directory = tmp_path_factory.mktemp("inventories")
    context = copied(new_home(directory), directory, NOW)
    names = ("new", "old", "without", "withheld", "stale", "silent", "denied", "elsewhere", "unread")
    with context.database() as database:
        for endpoint in ("a" * 26, "b" * 26):
            database.forget_endpoint(endpoint)
        for name in names:
            database.add_endpoint(name.ljust(26, "x"), name, 1.0, ["lab"] if name == "old" else [])
        seen = {
            name.ljust(26, "x"): SeenRow("osaka" if name == "elsewhere" else "tokyo", "", "", False, 2.0)
            for name in names
        }
        database.save_seen(seen)
        for name, inventory, at in (
            ("new", debian(openssl="3.0.17-1", curl="8"), NOW - HOUR),
            ("old", debian(openssl="3.0.15-1~deb12u1", curl="7.88"), NOW - 2 * HOUR),
            ("without", debian(curl="none"), NOW - 6 * DAY),
            ("withheld", debian(told="withheld"), NOW - HOUR),
            ("unread", debian(told="some"), NOW - HOUR),
            ("stale", debian(openssl="1.1-1"), NOW - 8 * DAY),
            ("denied", debian(openssl="1.1-1"), NOW),
            ("elsewhere", Inventory({}, {(Ecosystem.RPM, "openssl"): "1:1.1-1", (Ecosystem.DEB, "curl"): "8"}), NOW),
        ):
            tell(database, name.ljust(26, "x"), inventory, at)
        database.set_denied("denied".ljust(26, "x"), denied=True)
    return context


def names(answer: InventoryAnswer, *, unknown: bool = False) -> list[str]:
    return [pc.hostname for pc in (answer.unknown if unknown else answer.true)]


def test_unknown_is_not_no(context: Context) -> None:
    answer = ask_inventory(context, InventoryQuestion(OLD_SSL))
    assert names(answer) == ["old"], "an epoch of rpm makes it newer"
    assert names(answer, unknown=True) == ["silent", "stale", "unread", "withheld"]
    assert (answer.false, answer.total) == (3, 8)
    assert (answer.never, answer.outdated, len(answer.withheld), answer.incomplete) == (1, 1, 1, 1)
    assert [answer.why_unknown(pc) for pc in answer.unknown] == ["never", "outdated", "incomplete", "withheld"]
    negated = ask_inventory(context, InventoryQuestion(f"not {OLD_SSL}"))
    assert names(negated) == ["elsewhere", "new", "without"]
    assert names(negated, unknown=True) == names(answer, unknown=True)


def test_an_answer_says_how_old_it_is(context: Context) -> None:
    assert ask_inventory(context, InventoryQuestion(OLD_SSL)).oldest_at == NOW - 6 * DAY
    longer = ask_inventory(context, InventoryQuestion(OLD_SSL, max_days=9))
    assert names(longer) == ["old", "stale"]
    assert longer.oldest_at == NOW - 8 * DAY
    assert ask_inventory(context, InventoryQuestion("true", site="osaka")).oldest_at == NOW


def test_a_site_alone(context: Context) -> None:
    assert names(ask_inventory(context, InventoryQuestion("true", site="osaka"))) == ["elsewhere"]
    with pytest.raises(UserError, match="No site 'kyoto' is known"):
        ask_inventory(context, InventoryQuestion("true", site="kyoto"))


def test_site_and_tags_are_what_the_server_knows(context: Context) -> None:
    assert names(ask_inventory(context, InventoryQuestion('"lab" in tags and site == "tokyo"'))) == ["old"]


def test_values_are_those_that_the_expression_names_or_that_are_asked_for(context: Context) -> None:
    answer = ask_inventory(context, InventoryQuestion(f'{OLD_SSL} or os.family == "debian"'))
    assert list(answer.values) == ["openssl", "os.family"]
    old = next(pc for pc in answer.true if pc.hostname == "old").number
    assert answer.values["openssl"][old] == "3.0.15-1~deb12u1"
    chosen = ask_inventory(context, InventoryQuestion(OLD_SSL, columns=("ram_mb", "tags", "nothing", "ram_mb")))
    assert {name: of.get(old) for name, of in chosen.values.items()} == {
        "ram_mb": "8000",
        "tags": "lab",
        "nothing": None,
    }


def test_who_has_which_version(context: Context) -> None:
    package = ask_inventory(context, InventoryQuestion("true", versions_of="openssl", max_days=9)).package
    assert package is not None
    assert [(one.ecosystem, one.version, one.pcs) for one in package.versions] == [
        ("deb", "3.0.17-1", 1),
        ("deb", "3.0.15-1~deb12u1", 1),
        ("deb", "1.1-1", 1),
        ("rpm", "1:1.1-1", 1),
    ]
    assert (package.without, package.unknown) == (1, 2)
    curl = ask_inventory(context, InventoryQuestion("true", versions_of="curl")).package
    assert curl is not None
    assert [one.version for one in curl.versions] == ["8", "7.88", "none"], "what is no version comes last"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (InventoryQuestion("os.famly == 'x'"), "no fact 'os.famly'"),
        (InventoryQuestion("on_mains or arch == 'x'"), "PCs do not tell the server"),
        (InventoryQuestion("true", columns=("battery_percent",)), "battery_percent"),
        (InventoryQuestion("true", columns=("a\tb",)), "no name of a fact or package"),
        (InventoryQuestion("true", versions_of="a\tb"), "no name of a package"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_words(context: Context, question: InventoryQuestion, words: str) -> None:
    with pytest.raises(UserError, match=words) as raised:
        ask_inventory(context, question)
    assert raised.value.kind is FaultKind.BAD_INPUT


def test_a_question_that_takes_too_long_is_given_up(context: Context) -> None:
    slow = Context(context.home, SlowClock())
    assert names(ask_inventory(slow, InventoryQuestion(OLD_SSL, seconds=10.0))) == ["old"]
    with pytest.raises(UserError, match="more than 1.5 s") as raised:
        ask_inventory(slow, InventoryQuestion(OLD_SSL, seconds=1.5))
    assert raised.value.kind is FaultKind.FAILED


def test_a_package_that_is_named_as_a_fact_is_shown_as_the_package(context: Context) -> None:
    """Every Debian has a package of the name hostname."""
    pc = "n" * 26
    with context.database() as database:
        database.add_endpoint(pc, "named", 1.0)
        tell(database, pc, debian(hostname="3.23"), NOW)
    try:
        answer = ask_inventory(context, InventoryQuestion('package("hostname") < version("4")'))
        assert names(answer) == ["named"]
        assert [dict(values) for values in answer.values.values()] == [{answer.true[0].number: "3.23"}]
        assert list(answer.values) == ['package("hostname")']
        wanted = InventoryQuestion('installed("hostname")', columns=("ram_mb", "hostname", 'package("hostname")'))
        answer = ask_inventory(context, wanted)
        number = answer.true[0].number
        assert {name: values.get(number) for name, values in answer.values.items()} == {
            "ram_mb": "8000", "hostname": None, 'package("hostname")': "3.23",
        }  # fmt: skip
    finally:
        with context.database() as database:
            database.forget_endpoint(pc)


def test_a_question_of_many_comparisons_ends_in_its_time(context: Context) -> None:
    """What takes long is not to read what there is: each comparison is made with each value."""
    many = " or ".join(f"ram_mb == {number}" for number in range(100))
    with pytest.raises(UserError, match="given up"):
        ask_inventory(Context(context.home, SlowClock()), InventoryQuestion(many))


def test_what_was_told_while_the_clock_was_ahead_is_not_believed_for_years(context: Context) -> None:
    pc = "f" * 26
    with context.database() as database:
        database.add_endpoint(pc, "future", 1.0)
        tell(database, pc, debian(openssl="1"), NOW + 400 * DAY)
    try:
        answer = ask_inventory(context, InventoryQuestion(OLD_SSL))
        assert names(answer) == ["old"]
        (pc_row,) = [one for one in answer.unknown if one.hostname == "future"]
        assert answer.why_unknown(pc_row) == "outdated"
        assert (answer.never, answer.outdated) == (1, 2)
    finally:
        with context.database() as database:
            database.forget_endpoint(pc)

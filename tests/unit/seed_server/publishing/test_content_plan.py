"""`seed_server.publishing.content_plan`: what goes, in which order; that nothing needed goes, `tests/property` has."""

import pytest

from p2pdist.shared.identifiers import PatchRef
from seed_server.publishing.content_needs import ContentUse, UseOfContent, Uses
from seed_server.publishing.content_plan import UNLISTED_SECONDS, ContentRules, plan_content
from seed_server.settings.sections import RetentionSettings
from seed_server.store.rows import StoredPayload

DAY, NOW = 86_400.0, 1_800_000_000.0
MONTH = ContentRules(30 * DAY, 0)


def stored(*names: str, size: int = 100, changed_at: float = 0.0) -> list[StoredPayload]:
    return [StoredPayload(name, size, changed_at) for name in names]


def used(name: str, *uses: ContentUse) -> Uses:
    return {name: [UseOfContent(PatchRef(name, "1"), use) for use in uses]}


def test_what_has_had_its_time_goes_and_nothing_else() -> None:
    uses = used("old", "superseded") | used("young", "withdrawn for good") | used("live", "offered", "superseded")
    since = {"old": NOW - 30 * DAY, "young": NOW - 29 * DAY, "live": 0.0}
    plan = plan_content(stored("old", "young", "live", "new"), uses, since, MONTH, NOW)
    assert [(one.payload.sha256, one.because) for one in plan.removals] == [
        ("new", "unlisted"),
        ("old", "retention"),
    ] or [(one.payload.sha256, one.because) for one in plan.removals] == [("old", "retention"), ("new", "unlisted")]
    assert (plan.bytes, plan.left_bytes, plan.idle_bytes, plan.over_bytes) == (200, 200, 100, 0)


def test_what_nobody_is_known_to_need_has_waited_since_now() -> None:
    plan = plan_content(stored("a"), used("a", "superseded"), {}, MONTH, NOW)
    assert plan.removals == ()
    assert plan.idle_bytes == 100


@pytest.mark.parametrize(("quota", "gone"), [(0, ""), (400, ""), (399, "b"), (300, "b"), (250, "bc"), (1, "bca")])
def test_where_there_is_no_room_the_longest_idle_goes_first(quota: int, gone: str) -> None:
    uses = used("a", "superseded") | used("b", "superseded") | used("c", "withdrawn for good") | used("live", "offered")
    since = {"a": NOW - 1, "b": NOW - 3, "c": NOW - 2}
    plan = plan_content(stored("a", "b", "c", "live"), uses, since, ContentRules(30 * DAY, quota), NOW)
    assert "".join(one.payload.sha256 for one in plan.removals) == gone
    assert plan.over_bytes == (max(0, 100 - quota) if quota == 1 else 0)


def test_for_ever_is_possible_and_all_can_go_at_once() -> None:
    uses, since = used("a", "superseded"), {"a": 0.0}
    assert not plan_content(stored("a"), uses, since, ContentRules(None, 0), NOW).removals
    (one,) = plan_content(stored("a"), uses, since, ContentRules(None, 0, at_once=True), NOW).removals
    assert one.because == "asked"


def test_a_legal_hold_keeps_what_was_published_whatever_else_is_asked_for() -> None:
    rules = ContentRules(DAY, 1, held=True, at_once=True)
    plan = plan_content(stored("a", "stray"), used("a", "superseded"), {"a": 0.0}, rules, NOW)
    assert plan.removals == ()  # what no publication has any more was published, too
    assert plan.over_bytes == 199


def test_while_the_clock_may_be_far_ahead_all_waits_for_a_person() -> None:
    files, uses = stored("a", "stray"), used("a", "superseded")
    held = ContentRules(DAY, 1, expired=("root",))
    assert plan_content(files, uses, {"a": 0.0}, held, NOW).removals == ()
    asked = ContentRules.of(RetentionSettings(), held=False, at_once=True, expired=("root",))
    assert len(plan_content(files, uses, {"a": 0.0}, asked, NOW).removals) == 2


def test_what_no_publication_has_is_given_a_day() -> None:
    young = stored("a", changed_at=NOW - UNLISTED_SECONDS + 1)
    assert not plan_content(young, {}, {}, MONTH, NOW).removals
    assert not plan_content(stored("a", changed_at=NOW + 5), {}, {}, MONTH, NOW).removals, "its clock was ahead"
    assert plan_content(stored("a", changed_at=NOW - UNLISTED_SECONDS), {}, {}, MONTH, NOW).removals


def test_settings_make_the_rules() -> None:
    assert ContentRules.of(RetentionSettings(), held=False) == ContentRules(30 * DAY, 0)
    rules = ContentRules.of(RetentionSettings(content_days=0, content_gb=1.5), held=True)
    assert rules == ContentRules(None, 1_500_000_000, held=True)

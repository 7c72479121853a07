"""`p2pdist.transfer.base_choice`: the newest two of each patch that is on its way, and not too many in all."""

from p2pdist.shared.wire.fields import MAX_BASES
from p2pdist.transfer.base_choice import BASES_OF_A_PATCH, Base, chosen


def base(n: int, patch_id: str = "acme", *, kept: str = "", since: float | None = None) -> Base:
    return Base(f"{n:064x}", patch_id, f"{n}.0", float(n) if since is None else since, kept)


def test_of_each_patch_the_newest_two_serve_where_something_newer_is_on_its_way() -> None:
    candidates = [base(1), base(3), base(2), base(4, "other"), base(5, "proven")]
    found = chosen(candidates, {"acme", "other"}, ())
    assert [each.version for each in found.values()] == ["4.0", "3.0", "2.0"]
    assert BASES_OF_A_PATCH == 2
    assert chosen(candidates, (), ()) == {}


def test_what_has_failed_or_is_being_written_is_none_and_the_one_before_it_serves() -> None:
    found = chosen([base(1), base(2), base(3)], {"acme"}, {base(3).sha256})
    assert [each.version for each in found.values()] == ["2.0", "1.0"]


def test_what_is_in_the_cache_needs_no_kept_file() -> None:
    kept, cached = base(1, kept="/kept/1", since=9.0), base(1, since=5.0)
    for candidates in ([kept, cached], [cached, kept]):
        assert list(chosen(candidates, {"acme"}, ()).values()) == [cached]
    of_another = base(1, "other", since=1.0)
    assert list(chosen([kept, of_another], {"acme", "other"}, ()).values()) == [of_another]


def test_there_are_at_most_so_many_the_newest_of_all() -> None:
    candidates = [base(n, f"p{n}") for n in range(1, MAX_BASES + 2)]
    ids = {each.patch_id for each in candidates}
    found = chosen(candidates, ids, ())
    assert len(found) == MAX_BASES
    assert base(1, "p1").sha256 not in found
    assert len(chosen(candidates[1:], ids, ())) == MAX_BASES

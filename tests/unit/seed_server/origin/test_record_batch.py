from collections.abc import Iterable
from random import Random
from typing import Any

from msgspec.structs import replace

from p2pdist.shared.identifiers import EndpointId, PatchRef, TorrentHash
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer, PatchReport
from seed_server.origin.record_batch import RecordBatch
from seed_server.store.rows import Recorded, SeenRow

SEEN = SeenRow(site="tokyo", address="127.0.42.1", software="test", connected=True, last_seen_at=1.0)
TORRENT = TorrentHash("ab" * 32)


def reports(count: int) -> dict[PatchRef, PatchReport]:
    some = (
        PatchReport(
            patch_id=f"p{n}", version="1", state="waiting", progress=0.0, bytes_from_origin=0, bytes_from_peers=0,
            bytes_wasted=0, seconds=0.0, error="",
        )
        for n in range(count)
    )  # fmt: skip
    return {one.ref: one for one in some}


def batch_of(*counts: int) -> RecordBatch:
    """Return what PCs have said that are called pc0, pc1, …, and of how many patches each."""
    batch = RecordBatch(sent_bytes={("tokyo", str(n)): n for n in range(25)}, damaged={TORRENT: "changed"})
    answers = [DiagnosisAnswer(label=str(n), applies=True, needed=None, reason="") for n in range(3)]
    for number, count in enumerate(counts):
        endpoint = EndpointId(f"pc{number}")
        batch.seen[endpoint] = SEEN
        batch.reports[endpoint] = reports(count)
        batch.diagnoses[endpoint] = {"office": Diagnosis(template="office", answers=tuple(answers))}
        batch.refusals[endpoint] = ""
        batch.recorded[endpoint] = Recorded("run", number)
        batch.facts[endpoint] = {"ram_mb": number}
        batch.known_servers[endpoint] = number
    return batch


def test_no_part_has_more_rows_than_it_may_and_nothing_is_lost() -> None:
    whole = batch_of(0, 1, 3, 8, 25, 3, 3)
    parts = list(whole.cut(10))
    assert max(part.rows() for part in parts) <= 10
    assert sum(part.rows() for part in parts) == whole.rows()
    together = RecordBatch()
    for part in parts:
        together.add(part)
    assert together == whole


def test_what_is_little_is_one_part() -> None:
    whole = batch_of(3, 4)
    assert list(whole.cut(1000)) == [whole]
    assert list(RecordBatch().cut(1000)) == []


def test_what_a_pc_need_not_repeat_comes_with_the_last_of_it_and_its_site_with_the_first() -> None:
    for whole in (batch_of(25), batch_of(2, 2, 2, 2, 25, 2)):
        parts = list(whole.cut(10))
        for endpoint, said in whole.reports.items():
            with_reports = [n for n, part in enumerate(parts) if part.reports.get(endpoint)]
            (seen,) = (n for n, part in enumerate(parts) if endpoint in part.seen)
            (recorded,) = (n for n, part in enumerate(parts) if endpoint in part.recorded)
            assert said
            assert seen <= with_reports[0]
            assert with_reports[-1] <= recorded


def test_a_pc_that_moves_with_all_that_it_has_said_counts_for_more() -> None:
    whole = RecordBatch(seen={f"pc{n}": SEEN for n in range(20)})
    assert len(list(whole.cut(100))) == 1
    assert [len(part.seen) for part in whole.cut(100, {f"pc{n}": 300 for n in range(20)})] == [5, 5, 5, 5]


def test_the_newer_of_two_wins_and_bytes_are_added() -> None:
    older, newer = batch_of(2), batch_of(1)
    older.recorded[EndpointId("pc0")] = Recorded("run", 7)
    older.add(newer)
    assert older.recorded == newer.recorded
    assert len(older.reports[EndpointId("pc0")]) == 2
    assert older.sent_bytes == {key: 2 * count for key, count in newer.sent_bytes.items()}


def test_what_overtakes_is_not_overwritten_and_nothing_need_not_be_repeated_before_it_is_kept() -> None:
    """In any order of news, with a backlog: what is written last is what was said last."""
    random = Random(15)
    for _ in range(200):
        backlog, news = RecordBatch(), RecordBatch()
        said: dict[tuple[EndpointId, PatchRef], float] = {}
        serials: dict[EndpointId, list[tuple[PatchRef, float]]] = {}
        kept: dict[tuple[EndpointId, PatchRef], float] = {}

        def write(parts: Iterable[RecordBatch], serials: Any = serials, kept: Any = kept) -> None:
            for part in parts:
                assert part.rows() <= 10
                kept |= {(pc, ref): one.progress for pc, some in part.reports.items() for ref, one in some.items()}
                for pc, recorded in part.recorded.items():
                    assert all(kept[pc, ref] >= progress for ref, progress in serials[pc][: recorded.serial])

        for at in range(random.randrange(1, 30)):
            endpoint = EndpointId(f"pc{random.randrange(3)}")
            count = random.choice([1, 1, 2, 30])
            for ref, one in random.sample(list(reports(30).items()), count):
                news.reports.setdefault(endpoint, {})[ref] = replace(one, progress=at / 100)
                said[endpoint, ref] = at / 100
                serials.setdefault(endpoint, []).append((ref, at / 100))
            news.recorded[endpoint] = Recorded("run", len(serials[endpoint]))
            if random.random() < 0.5:
                backlog.add(news.take_much(8))
                news.overtake(backlog)
                write([*news.cut(10), backlog.take(10)])
                news = RecordBatch()
        backlog.add(news)
        while backlog:
            write([backlog.take(10)])
        assert kept == said


def test_only_those_who_say_much_wait() -> None:
    news = batch_of(2, 20)
    much = news.take_much(10)
    assert [*much.reports] == [*much.diagnoses] == [*much.recorded] == ["pc1"]
    assert [*news.reports] == [*news.recorded] == ["pc0"]
    assert news.seen.keys() == news.refusals.keys() == {"pc0", "pc1"}
    assert (news.rows() + much.rows(), bool(much.seen)) == (batch_of(2, 20).rows(), False)

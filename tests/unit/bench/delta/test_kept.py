from pathlib import Path

import msgspec

from bench.delta.cases import Case
from bench.delta.kept import Kept
from bench.delta.pairs import Pair, Release, pair_named
from tests.helpers.delta_runs import facts_of, run_of

CASE = Case("numpy")
NUMPY = pair_named("numpy")


def test_the_newest_counts(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    assert (kept.run_of(CASE), kept.facts_of(NUMPY)) == (None, None)
    for seconds in (2.0, 3.0):
        kept.keep_run(run_of(CASE, seconds=seconds))
        kept.keep_facts(facts_of("numpy", publish_seconds=seconds))
    for one in (kept, Kept(tmp_path)):
        run, facts = one.run_of(CASE), one.facts_of(NUMPY)
        assert run is not None
        assert facts is not None
        assert (run.seconds, facts.publish_seconds) == (3.0, 3.0)
    assert Kept(tmp_path, ignore_old=True).run_of(CASE) is None


def test_another_file_or_definition_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.keep_run(run_of(CASE, fingerprint="other"))
    kept.keep_facts(facts_of("numpy"))
    assert kept.run_of(CASE) is None
    assert kept.facts_of(Pair("numpy", "wheel", NUMPY.former, Release("2.5", "0" * 64))) is None


def test_a_line_that_was_cut_off_and_one_of_an_earlier_form_are_left_out(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.keep_run(run_of(CASE))
    whole = (tmp_path / "runs.jsonl").read_bytes()
    other = msgspec.json.encode(run_of(Case("botocore")))
    (tmp_path / "runs.jsonl").write_bytes(b'{"case":{}}\n' + whole + other)
    found = Kept(tmp_path)
    assert found.run_of(CASE) is not None
    assert found.run_of(Case("botocore")) is None

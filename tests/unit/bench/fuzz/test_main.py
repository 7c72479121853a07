"""`bench.fuzz`: what a worker has found is kept, and a worker that does not run is no success."""

from pathlib import Path

from bench.fuzz.__main__ import inputs_in, outcome_of


def write(folder: Path, name: str, data: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def test_what_failed_goes_into_the_corpus_once(tmp_path: Path) -> None:
    work, corpus = tmp_path / "work", tmp_path / "corpus"
    write(work, "failed-crash-1", b"bad")
    outcome = outcome_of("frames", "INFO: x\nstat::number_of_executed_units: 12\nIndexError", 77, work, corpus)
    assert outcome.failed
    assert (outcome.inputs, outcome.words) == (12, "IndexError")
    (kept,) = outcome.found
    assert kept.parent == corpus / "frames"
    assert kept.read_bytes() == b"bad"
    assert not (work / "failed-crash-1").exists()


def test_a_worker_that_ends_in_another_way_has_failed(tmp_path: Path) -> None:
    assert not outcome_of("frames", "stat::number_of_executed_units: 1", 0, tmp_path, tmp_path).failed
    assert outcome_of("frames", "No module named 'atheris'", 1, tmp_path, tmp_path).failed
    assert outcome_of("frames", "", -11, tmp_path, tmp_path).failed


def test_inputs_are_counted() -> None:
    assert inputs_in([]) == 0
    assert inputs_in(["stat::number_of_executed_units: 5", "x"]) == 5

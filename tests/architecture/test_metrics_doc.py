"""docs/metrics.md has the figures of the code, and its numbers."""

import re

from bench.metrics_doc import PAGE, page_with_tables
from seed_server.automation.metrics import PAGE_SECONDS, SLOW_SECONDS
from seed_server.automation.metrics_table import MOST_NAMED_SITES, MOST_ROLLOUTS, SERVER_METRICS


def test_the_tables_are_the_codes() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_with_tables(page) == page, "python -m bench.metrics_doc"


def test_the_numbers_of_the_page_are_the_codes() -> None:
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    assert f"the {MOST_NAMED_SITES} sites with the most PCs" in page
    assert f"the {MOST_ROLLOUTS} newest rollouts" in page
    assert (PAGE_SECONDS, SLOW_SECONDS) == (5.0, 60.0)
    assert "at most every 5 seconds" in page
    assert "once a minute" in page


def test_names_are_as_the_conventions_have_them() -> None:
    for metric in SERVER_METRICS:
        assert re.fullmatch(r"seed_server_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") is (metric.kind == "counter"), metric.name
        assert not metric.help.endswith(".")
        assert not set(metric.labels) & {"endpoint", "pc", "host", "hostname", "address"}
    assert len({metric.name for metric in SERVER_METRICS}) == len(SERVER_METRICS)


def test_every_figure_of_an_example_is_one_of_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    examples = "\n".join(re.findall(r"```[a-z]*\n(.*?)```", page, re.DOTALL))
    named = set(re.findall(r"\b(?:seed_server|p2pdist)_[a-z_]+\b", examples))
    assert named
    assert named <= set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))

"""MetricValues by their labels."""

import math

import pytest

from p2pdist.shared.metrics import MAX_METRIC_LABEL_CHARS, Metric, MetricValues, most_of

TABLE = (Metric("a_total", "counter", "A"), Metric("b_bytes", "gauge", "B", ("site", "kind")))


def test_values_under_the_same_labels_are_added() -> None:
    figures = MetricValues(TABLE)
    figures.add("b_bytes", 1, "oslo", "x")
    figures.add("b_bytes", 2, "oslo", "x")
    figures.add("b_bytes", 5, "oslo", "y")
    figures.add("a_total", True)
    assert [(metric.name, dict(values)) for metric, values in figures] == [
        ("a_total", {(): 1.0}),
        ("b_bytes", {("oslo", "x"): 3.0, ("oslo", "y"): 5.0}),
    ]


def test_what_is_no_number_or_not_in_the_table_is_not_told() -> None:
    figures = MetricValues(TABLE)
    figures.add("a_total", math.nan)
    figures.add("a_total", math.inf)
    assert list(figures) == []
    with pytest.raises(KeyError):
        figures.add("c", 1)
    with pytest.raises(ValueError, match="has the labels"):
        figures.add("b_bytes", 1, "oslo")


def test_labels_are_short_and_can_be_shown() -> None:
    figures = MetricValues(TABLE)
    figures.add("b_bytes", 1, "o\x1b[31m" + "x" * 200, "")
    ((_, values),) = figures
    ((site, _),) = values
    assert len(site) == MAX_METRIC_LABEL_CHARS
    assert site.isprintable()


def test_the_largest_are_named_and_by_name_where_they_are_alike() -> None:
    assert most_of({"c": 1, "b": 1, "a": 0, "d": 5}, 2) == {"d", "b"}
    assert most_of({"a": 1}, 2) == {"a"}
    assert most_of({}, 2) == frozenset()

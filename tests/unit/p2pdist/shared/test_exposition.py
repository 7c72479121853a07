"""The text is what Prometheus reads; its own parser reads it back."""

from prometheus_client.parser import text_string_to_metric_families

from p2pdist.shared.exposition import exposition
from p2pdist.shared.metrics import Metric, MetricValues

TABLE = (
    Metric("a_seconds_total", "counter", "Time"),
    Metric("b_bytes", "gauge", "Bytes\\ by\nsite", ("site", "kind")),
    Metric("c", "gauge", "Nothing is said of it"),
)


def test_the_text_has_help_type_and_values() -> None:
    figures = MetricValues(TABLE)
    figures.add("a_seconds_total", 1.5)
    figures.add("b_bytes", 2, "oslo", "x")
    figures.add("b_bytes", 1, "bergen", "y")
    assert exposition(figures).decode() == (
        "# HELP a_seconds_total Time.\n# TYPE a_seconds_total counter\na_seconds_total 1.5\n"
        "# HELP b_bytes Bytes\\\\ by\\nsite.\n# TYPE b_bytes gauge\n"
        'b_bytes{kind="y",site="bergen"} 1.0\nb_bytes{kind="x",site="oslo"} 2.0\n'
    )


def test_hostile_labels_are_read_back_as_they_are() -> None:
    figures = MetricValues(TABLE)
    hostile = ['a"} 1\n', "\\", "日本", "{}", "#", " "]
    for label in hostile:
        figures.add("b_bytes", 1, label, "x")
    (family,) = text_string_to_metric_families(exposition(figures).decode())
    read = {sample.labels["site"] for sample in family.samples}
    assert len(read) == len(hostile)
    assert {"\\", "日本", "{}", "#", " "} < read


def test_nothing_is_an_empty_text() -> None:
    assert exposition(MetricValues(TABLE)) == b""

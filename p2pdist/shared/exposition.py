"""MetricValues as the text that Prometheus reads: the only file that knows prometheus-client.

The text is version 0.0.4 of the format, which the textfile collector of node-exporter takes too.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from p2pdist.shared.metrics import MetricValues

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(figures: MetricValues) -> bytes:
    """Return the text of all figures of which anything is said, each with its help and its type."""
    from prometheus_client.exposition import generate_latest  # loads what serves HTTP, which few commands need
    from prometheus_client.registry import Collector

    class Once(Collector):
        def collect(self) -> "Iterable[Family]":
            return _families(figures)

    return generate_latest(Once())


def _families(figures: MetricValues) -> "Iterable[Family]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    for metric, values in figures:
        kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = kind(metric.name, f"{metric.help}.", labels=metric.labels)
        for labels, value in sorted(values.items()):
            family.add_metric(labels, value)
        yield family

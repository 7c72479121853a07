"""MetricValues for a monitoring system: which there are, and their values at one moment. Pure.

Names are as Prometheus wants them: base units, ``_total`` for what only rises. No figure has a label for a PC or for
anything else of which there may be any number: each label has few values, or is cut to few by whoever fills it in.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from p2pdist.shared.printable_text import printable

MetricKind: TypeAlias = Literal["gauge", "counter"]
MAX_METRIC_LABEL_CHARS = 100  # of a value: a site's name has 64
OTHER = "other"
"""The value of a label for all those together that are not named."""


@dataclass(frozen=True)
class Metric:
    """One figure that is told."""

    name: str
    kind: MetricKind
    help: str
    """What it is, in a sentence without a full stop."""
    labels: tuple[str, ...] = ()


class MetricValues:
    """Values of the figures of a table."""

    def __init__(self, table: Sequence[Metric]) -> None:
        self._table = {metric.name: metric for metric in table}
        self._values: dict[str, dict[tuple[str, ...], float]] = {}

    def add(self, name: str, value: float, *labels: str) -> None:
        """Add ``value`` to what is said of one figure under these labels. What is no number is left out.

        Raises `KeyError` for a figure that is not in the table, `ValueError` for too few or too many labels.
        """
        metric = self._table[name]
        if len(labels) != len(metric.labels):
            raise ValueError(f"{name} has the labels {metric.labels}, not {labels}")
        if not math.isfinite(value):
            return
        values = self._values.setdefault(name, {})
        key = tuple(printable(label)[:MAX_METRIC_LABEL_CHARS] for label in labels)
        values[key] = values.get(key, 0.0) + value

    def __iter__(self) -> Iterator[tuple[Metric, Mapping[tuple[str, ...], float]]]:
        """Yield each figure of which something is said, in the order of the table, with its values by their labels."""
        for name, metric in self._table.items():
            if name in self._values:
                yield metric, self._values[name]


def most_of(sizes: Mapping[str, float], most: int) -> frozenset[str]:
    """Return the ``most`` names of the largest size, by name where they are alike; the others are `OTHER`."""
    return frozenset(sorted(sizes, key=lambda name: (-sizes[name], name))[:most])

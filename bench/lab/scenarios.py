"""The whole matrix. Pure."""

from collections.abc import Collection

from bench.lab.random_lines import random_lines
from bench.lab.real_lines import real_scenarios
from bench.lab.scenario import GROUPS, OURS, Group, Scenario
from bench.lab.usual_lines import against_rivals, ours_alone


def all_scenarios(rivals: tuple[str, ...], seed: str, groups: Collection[Group] = GROUPS) -> list[Scenario]:
    """Return the scenarios of these groups, ours first; ``seed`` draws the random lines."""
    found: list[Scenario] = []
    if "usual" in groups:
        found += [*against_rivals(OURS), *ours_alone()]
    if "real" in groups:
        found += real_scenarios()
    lines = random_lines(seed) if "random" in groups else []
    found += [line.scenario() for line in lines]
    if "usual" in groups:
        found += [each for rival in rivals for each in against_rivals(rival)]
    return [*found, *(line.scenario(rival) for line in lines for rival in rivals)]

"""All targets by name."""

from bench.fuzz import (
    document_targets,
    file_targets,
    intelligence_targets,
    package_targets,
    port_targets,
    wire_targets,
)
from bench.fuzz.target import Target

_MODULES = (wire_targets, document_targets, file_targets, intelligence_targets, package_targets, port_targets)

TARGETS: dict[str, Target] = {target.name: target for module in _MODULES for target in module.TARGETS}

MODULE_OF = {target.name: module.__name__ for module in _MODULES for target in module.TARGETS}
"""The module of each target: a worker imports that one alone."""

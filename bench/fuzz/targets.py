"""All targets by name."""

from bench.fuzz import document_targets, file_targets, port_targets, wire_targets
from bench.fuzz.target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (wire_targets, document_targets, file_targets, port_targets)
    for target in module.TARGETS
}

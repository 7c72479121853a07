"""What shells complete for `seed-server`: names that this server knows. Whoever cannot read its home sees none."""

import functools
from collections.abc import Iterable

import click

from p2pdist.shared.completing import MOST_COMPLETIONS, Named, completed_by
from seed_server.fleet.shipped_rings import SHIPPED_RINGS


def _of_state(kind: str, command: click.Context, typed: str) -> Iterable[Named]:
    from seed_server.fleet.known_names import names_of_state

    return names_of_state(command.params["context"], kind, typed, MOST_COMPLETIONS)


def _sites(command: click.Context, typed: str) -> Iterable[Named]:
    from seed_server.fleet.known_names import site_names

    return site_names(command.params["context"], typed, MOST_COMPLETIONS)


def _templates(command: click.Context, _typed: str) -> Iterable[Named]:
    from seed_server.fleet.known_names import signed_templates

    return signed_templates(command.params["context"])


def _event_types(_command: click.Context, _typed: str) -> Iterable[Named]:
    from seed_server.automation.event_types import EVENT_TYPES

    return list(EVENT_TYPES.items())


def _rings(_command: click.Context, _typed: str) -> Iterable[Named]:
    return [(name, "") for name in SHIPPED_RINGS]


patch_names = completed_by(functools.partial(_of_state, "patch"))
endpoint_names = completed_by(functools.partial(_of_state, "endpoint"))
person_names = completed_by(functools.partial(_of_state, "person"))
rollout_numbers = completed_by(functools.partial(_of_state, "rollout"))
exception_numbers = completed_by(functools.partial(_of_state, "exception"))
token_ids = completed_by(functools.partial(_of_state, "token"))
api_token_ids = completed_by(functools.partial(_of_state, "api_token"))
webhook_names = completed_by(functools.partial(_of_state, "webhook"))
event_types = completed_by(_event_types)
site_names = completed_by(_sites)
template_names = completed_by(_templates)
ring_templates = completed_by(_rings, or_files=True)

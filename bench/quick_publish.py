"""Publishes small files as `seed-server publish` does, without a process for each. Blocking."""

import os
from pathlib import Path

from bench.fleet import Fleet
from seed_server.fleet import operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.signing.key_files import OfflineKeys


def publish(fleet: Fleet, directory: Path, name: str, size_bytes: int, *, applies_to: str = "") -> None:
    """Publish a random file as version 1.0 of ``name``; ``directory`` has room for it meanwhile."""
    context = Context(ServerHome(fleet.server.home))
    (directory / name).write_bytes(os.urandom(size_bytes))
    recipe = Recipe(patch_id=name, version="1.0", payload=(PayloadFile(file=name),), applies_to=applies_to)
    keys = OfflineKeys(context.home.offline_keys)
    operations.publish(context, Actor.local_user("bench"), Publication(recipe, directory), keys)
    (directory / name).unlink()

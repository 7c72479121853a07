"""What each Debian package has in it, below the directory that debhelper makes it of."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.release.documents import write_completions, write_manual_pages
from bench.release.environment import make_environment
from bench.release.locked import locked_subset, needed_names
from bench.release.source import ROOT, release_time

MAIN_MODULES = {
    "p2pdist": "p2pdist.commands.main",
    "seed-server": "seed_server.commands.main",
    "bandwidth": "bandwidth.commands.main",
}


@dataclass(frozen=True)
class Product:
    """One of the things that are installed."""

    extras: tuple[str, ...]
    programs: tuple[str, ...]
    units: tuple[str, ...]


PRODUCTS = {
    "endpoint": Product((), ("p2pdist",), ("p2pdist.service", "p2pdist-enrol.service")),
    "server": Product(("server", "pictures", "postgres"), ("seed-server", "bandwidth"), ("seed-server.service",)),
}


def requirements_of(product: Product, root: Path = ROOT) -> str:
    """Return what is installed for ``product`` besides our own wheel, each with its hashes."""
    return locked_subset(root / "requirements.lock", needed_names(root / "pyproject.toml", product.extras))


def stage(name: str, staging: Path, wheel: Path, root: Path = ROOT) -> None:
    """Put all files of the package of a product below ``staging``."""
    product = PRODUCTS[name]
    place = f"/opt/p2pdist/{name}"
    staging.mkdir(parents=True, exist_ok=True)
    requirements = staging.parent / f"{name}.requirements"
    requirements.write_text(requirements_of(product, root), encoding="utf-8")
    programs = [(program, MAIN_MODULES[program]) for program in product.programs]
    make_environment(staging.absolute(), place, wheel=wheel, requirements=requirements.absolute(), programs=programs)
    links = staging / "usr/bin"
    links.mkdir(parents=True)
    for program in product.programs:
        (links / program).symlink_to(f"{place}/bin/{program}")
        write_manual_pages(program, staging / "usr/share/man/man1", release_time(root))
        write_completions(program, staging)
    for unit in product.units:
        _copy(root / "packaging/systemd" / unit, staging / "lib/systemd/system" / unit)
    if name == "endpoint":
        _copy(root / "packaging/when-idle", staging / "usr/lib/p2pdist-endpoint/when-idle", rights=0o755)
        _copy(root / "packaging/config.toml", staging / "etc/p2pdist/config.toml")
        examples = staging / "usr/share/doc/p2pdist-endpoint/examples"
        _copy(root / "packaging/systemd/sharing-only.conf", examples / "sharing-only.conf")


def _copy(source: Path, target: Path, *, rights: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(rights)

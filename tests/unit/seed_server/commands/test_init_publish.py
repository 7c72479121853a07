"""`seed-server init`, `publish`, `token`, `renew`, `endpoints`, `deny`, `allow` as a person runs them."""

import hashlib
import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from p2pdist.shared.console import ExitCode, run_command_line
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.enrolment import decode_token
from seed_server.commands.main import seed_server
from seed_server.commands.options import PASSPHRASE_VARIABLE
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import DEFAULT_API_PORT, ServerSettings, load_settings
from seed_server.store.database import Database

ENDPOINT = "a" * 26


class Shell:
    """Runs commands in this process, as `main` does."""

    def __init__(self, directory: Path, capture: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.home = ServerHome(directory / "home")
        self._capture = capture
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("SEED_SERVER_HOME", str(self.home.root))
        monkeypatch.delenv(PASSPHRASE_VARIABLE, raising=False)

    def __call__(self, *arguments: object, code: int = 0) -> str:
        """Return what the command printed; on standard error where it failed."""
        self._monkeypatch.setattr(sys, "argv", ["seed-server", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            run_command_line(seed_server)
        output, errors = self._capture.readouterr()
        assert (ended.value.code or 0) == code, errors
        assert "Traceback" not in errors
        return errors if code else output

    def init(self, *options: object, code: int = 0) -> str:
        return self("init", "--name", "hq", "--address", "127.0.0.1", *options, code=code)

    def file(self, content: bytes = b"payload") -> Path:
        path = self.directory / "office.msi"
        path.write_bytes(content)
        return path


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, capsys, monkeypatch)


def test_init_prints_the_pins_that_tokens_carry(shell: Shell) -> None:
    printed = shell.init()
    token = decode_token(shell("token"))
    assert f"Pin of its CA:         {token.ca_pin.hex()}" in printed
    assert f"Pin of its trust root: {token.root_pin.hex()}" in printed


def test_init_makes_a_home_that_is_its_owners_alone(shell: Shell) -> None:
    facts = json.loads(shell.init("--web-port", 9443, "--origin-port", 9690, "--json"))
    settings = load_settings(shell.home)
    assert settings == ServerSettings(
        name="hq", address="127.0.0.1", web_port=9443, origin_port=9690, api_port=DEFAULT_API_PORT
    )
    assert facts["api_port"] == DEFAULT_API_PORT
    assert facts["ca_pin"] == CertificateAuthority.open(shell.home.ca).control_ca_pin().hex()
    first_root = (shell.home.tuf_metadata / "1.root.json").read_bytes()
    assert facts["root_pin"] == hashlib.sha256(first_root).hexdigest()
    keys = {str(path.relative_to(shell.home.keys)) for path in shell.home.keys.rglob("*.pem")}
    assert keys == {
        *(f"online/{name}.pem" for name in ("audit", "rollouts", "snapshot", "timestamp")),
        *(f"offline/{name}.pem" for name in ("root", "patches", "profiles")),
        *(f"ca/{name}-ca.{kind}.pem" for name in ("control", "swarm") for kind in ("key", "crt")),
    }
    for path in shell.home.keys.rglob("*.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o644 if path.name.endswith(".crt.pem") else 0o600)
    assert stat.S_IMODE(shell.home.root.stat().st_mode) == 0o700
    assert "[[site]]" in shell.home.sites.read_text()


def test_init_makes_no_api_where_none_is_wanted(shell: Shell) -> None:
    assert json.loads(shell.init("--api-port", 0, "--json"))["api_port"] == 0
    assert load_settings(shell.home).api_port == 0
    assert "api_port = 0\n" in shell.home.settings.read_text()


def test_init_refuses_a_home_that_is_in_use(shell: Shell) -> None:
    shell.init()
    assert "is the home of a seed server already" in shell.init(code=ExitCode.BAD_INPUT)
    shell.home.settings.unlink()
    key = (shell.home.offline_keys / "root.pem").read_bytes()
    assert "no server.toml" in shell.init(code=ExitCode.BAD_INPUT)
    assert (shell.home.offline_keys / "root.pem").read_bytes() == key


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--name", "hq", "--address", "https://hq"), ExitCode.BAD_INPUT, "neither an IP address nor a host name"),
        (("--name", "hq", "--address", "10.0.0.300"), ExitCode.BAD_INPUT, "neither an IP address nor a host name"),
        (("--name", "hq", "--address", "0.0.0.0"), ExitCode.BAD_INPUT, "cannot reach"),
        (("--name", "h\nq", "--address", "hq"), ExitCode.BAD_INPUT, "control characters"),
        (("--name", "", "--address", "hq"), ExitCode.USAGE, "1 to 64"),
        (("--name", "hq", "--address", "hq", "--web-port", "7690"), ExitCode.BAD_INPUT, "both 7690"),
        (("--name", "hq", "--address", "hq", "--web-port", "65536"), ExitCode.USAGE, "65536"),
        (("--name", "hq"), ExitCode.USAGE, "--address"),
        (("--name", "hq", "--address", "hq", "--encrypt-keys"), ExitCode.USAGE, "passphrase is needed"),
    ],
)
def test_init_checks_its_options(
    shell: Shell, options: tuple[str, ...], code: ExitCode, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert words in shell("init", *options, code=code)
    assert not shell.home.root.exists()


def test_init_on_a_disk_that_refuses_leaves_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (shell.directory / "home").write_text("a file")
    assert "Cannot write to" in shell.init(code=ExitCode.STORAGE)
    (shell.directory / "home").unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seed_server.initialising.write_settings", full)
    assert "No space left" in shell.init(code=ExitCode.STORAGE)
    assert not list(shell.home.root.iterdir())


def test_publish_prints_what_it_published(shell: Shell) -> None:
    shell.init()
    file = shell.file()
    facts = json.loads(
        shell(
            "publish", file, "--patch-id", "office", "--version", "1", "--severity", "high", "--cvss", "7.5", "--json"
        )
    )
    expected = {"id": "office", "version": "1", "severity": "high", "cvss": 7.5, "length_bytes": 7, "repaired": False}
    assert expected.items() <= facts.items()
    assert len(facts["sha256"]) == len(facts["torrent_hash"]) == 64
    assert "Published office 2: office.msi, 8 B" in shell(
        "publish", shell.file(b"payload2"), "--patch-id", "office", "--version", "2"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("office.msi", "--patch-id", "office", "--version", "1"), ExitCode.BAD_INPUT, "published already"),
        (("missing", "--patch-id", "office", "--version", "2"), ExitCode.BAD_INPUT, "There is no file"),
        ((".", "--patch-id", "office", "--version", "2"), ExitCode.BAD_INPUT, "file name"),
        (("office.msi", "--patch-id", "a b", "--version", "2"), ExitCode.BAD_INPUT, "patch id 'a b'"),
        (("office.msi", "--patch-id", "a", "--version", "2", "--cvss", "11"), ExitCode.USAGE, "11"),
        (("office.msi", "--patch-id", "a", "--version", "2", "--cvss", "5.55"), ExitCode.USAGE, "one decimal"),
        (("office.msi", "--patch-id", "a", "--version", "2", "--cvss", "nan"), ExitCode.USAGE, "one decimal"),
        (("office.msi", "--patch-id", "a", "--version", "2", "--severity", "bad"), ExitCode.USAGE, "bad"),
        (("office.msi", "--patch-id", "a", "--version", "2", "--offline-keys", "x"), ExitCode.NOT_SET_UP, "attach"),
        (("office.msi", "--version", "2"), ExitCode.USAGE, "--patch-id"),
    ],
)
def test_publish_refuses(
    shell: Shell, arguments: tuple[str, ...], code: ExitCode, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.init()
    monkeypatch.chdir(shell.directory)
    shell("publish", shell.file(), "--patch-id", "office", "--version", "1")
    assert words in shell("publish", *arguments, code=code)


def test_encrypted_keys(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    passphrase = shell.directory / "passphrase"
    passphrase.write_text("correct horse battery\n")
    shell.init("--encrypt-keys", "--passphrase-file", passphrase)
    assert b"ENCRYPTED" in (shell.home.offline_keys / "root.pem").read_bytes()
    assert b"ENCRYPTED" not in (shell.home.online_keys / "timestamp.pem").read_bytes()
    publish = ("publish", shell.file(), "--patch-id", "office", "--version", "1")
    assert "is encrypted" in shell(*publish, code=ExitCode.REFUSED)
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "wrong horse battery")
    assert "does not open" in shell(*publish, code=ExitCode.REFUSED)
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse battery")
    shell(*publish)
    monkeypatch.delenv(PASSPHRASE_VARIABLE)
    assert "root is valid until" in shell("renew", "--passphrase-file", passphrase)
    assert "Cannot read the passphrase file" in shell(
        "renew", "--passphrase-file", shell.directory / "none", code=ExitCode.BAD_INPUT
    )


def test_a_given_passphrase_is_never_ignored(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, "correct horse battery")
    assert "are encrypted" in shell.init()
    assert b"ENCRYPTED" in (shell.home.offline_keys / "root.pem").read_bytes()


def test_init_says_that_the_keys_are_not_encrypted(shell: Shell) -> None:
    assert "are NOT encrypted" in shell.init()


def test_ctrl_c_while_publishing_says_where_that_leaves_one(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.init()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seed_server.fleet.operations.publish", interrupted)
    assert "published only if" in shell(
        "publish", shell.file(), "--patch-id", "a", "--version", "1", code=ExitCode.FAILED
    )


def test_a_token_names_server_pin_and_a_secret_that_the_database_accepts(shell: Shell) -> None:
    shell.init()
    token = decode_token(shell("token"))
    assert (token.address, token.web_port) == ("127.0.0.1", 8443)
    assert token.ca_pin == CertificateAuthority.open(shell.home.ca).control_ca_pin()
    facts = json.loads(shell("token", "--uses", 2, "--ttl", "30m", "--json"))
    secret = decode_token(facts["token"]).secret
    with Database.open(shell.home.database) as database:
        assert database.spend_token(token.secret, facts["expires_at"] - 1) == "accepted"
        assert database.spend_token(token.secret, facts["expires_at"] - 1) == "used"
        assert [database.spend_token(secret, facts["expires_at"] + n) for n in (-2, -1, 0)] == [
            "accepted", "accepted", "expired",
        ]  # fmt: skip


def test_tags_of_a_token_are_sorted_and_shown_with_its_endpoints(shell: Shell) -> None:
    shell.init()
    facts = json.loads(shell("token", "--tag", "kiosk", "--tag", "branch-7", "--tag", "kiosk", "--json"))
    assert facts["tags"] == ["branch-7", "kiosk"]
    with Database.open(shell.home.database) as database:
        assert database.token_tags(decode_token(facts["token"]).secret) == ("branch-7", "kiosk")
        database.add_endpoint(ENDPOINT, "pc-1", 1.0, ("branch-7", "kiosk"))
    assert "branch-7 kiosk" in shell("endpoints")
    assert json.loads(shell("endpoints", "--json"))[0]["tags"] == ["branch-7", "kiosk"]


@pytest.mark.parametrize("tag", ["Kiosk", "", "a b", "t" * 41, "tag\n", "ü"])
def test_tags_that_are_none(shell: Shell, tag: str) -> None:
    shell.init()
    assert "is no tag" in shell("token", "--tag", tag, code=ExitCode.USAGE)


def test_too_many_tags(shell: Shell) -> None:
    shell.init()
    assert "at most 20" in shell("token", *(f"--tag=t{n}" for n in range(21)), code=ExitCode.USAGE)


@pytest.mark.parametrize("ttl", ["0s", "31d", "1", "h", "-1h", "1.5h", "", "²h"])
def test_durations_that_are_none(shell: Shell, ttl: str) -> None:
    shell.init()
    assert "is not a duration" in shell("token", f"--ttl={ttl}", code=ExitCode.USAGE)


def test_endpoints_are_listed_denied_and_allowed(shell: Shell) -> None:
    shell.init()
    assert "No PC has enrolled yet" in shell("endpoints")
    assert json.loads(shell("endpoints", "--json")) == []
    with Database.open(shell.home.database) as database:
        database.add_endpoint(ENDPOINT, "pc-1", 1_900_000_000.0)
    shell("deny", ENDPOINT)
    assert "denied" in shell("endpoints")
    shell("allow", ENDPOINT)
    (row,) = json.loads(shell("endpoints", "--json"))
    assert (row["id"], row["hostname"], row["denied"], row["last_seen_at"]) == (ENDPOINT, "pc-1", False, None)
    assert "is enrolled here" in shell("deny", "b" * 26, code=ExitCode.BAD_INPUT)
    assert "is enrolled here" in shell("allow", "nonsense", code=ExitCode.BAD_INPUT)


@pytest.mark.parametrize(
    "arguments",
    [
        ("token",),
        ("endpoints",),
        ("deny", ENDPOINT),
        ("renew",),
        ("publish", "f", "--patch-id", "a", "--version", "1"),
    ],
)
def test_a_home_that_is_not_initialised(shell: Shell, arguments: tuple[str, ...]) -> None:
    assert "Run 'seed-server init" in shell(*arguments, code=ExitCode.NOT_SET_UP)


def break_toml(home: ServerHome, text: str) -> None:
    home.settings.write_text(home.settings.read_text() + text)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda home: break_toml(home, "wep_port = 1\n"), "did you mean 'web_port'"),
        (lambda home: break_toml(home, "lease_seconds = 0\n"), "lease_seconds"),
        (lambda home: break_toml(home, "listen_address = 'eth0'\n"), "listen_address"),
        (lambda home: break_toml(home, "[retention]\nhot_months = 0\n"), "hot_months"),
        (lambda home: break_toml(home, "[retention]\narchive_month = 1\n"), "archive_months"),
        (lambda home: break_toml(home, "[webhooks]\nallow = ['10.0.0.1/8']\n"), "'10.0.0.1/8' is no network"),
        (lambda home: break_toml(home, "[webhooks]\nallow = ['intranet']\n"), "'intranet' is no network"),
        (lambda home: break_toml(home, f"[webhooks]\nallow = {['10.0.0.1'] * 101}\n"), "allow"),
        (lambda home: home.settings.write_bytes(b"\xff"), "not UTF-8"),
        (lambda home: home.settings.write_bytes(b"#" * 70_000), "not a configuration"),
    ],
)
def test_a_wrong_server_toml_is_explained(shell: Shell, damage: Callable[[ServerHome], None], words: str) -> None:
    shell.init()
    damage(shell.home)
    assert words in shell("token", code=ExitCode.BAD_INPUT)


def test_help_has_examples_for_every_job(shell: Shell) -> None:
    assert "Examples:" in shell("--help")
    for command in ("init", "serve", "publish", "token", "status", "renew", "endpoints", "deny", "allow", "lint"):
        assert re.search("Examples?:", shell(command, "--help"))


def test_the_real_process_publishes_and_leaves_standard_output_to_json(shell: Shell) -> None:
    shell.init()
    command = [
        sys.executable,
        "-m",
        "seed_server.commands.main",
        "publish",
        str(shell.file()),
        "--patch-id",
        "a",
        "--version",
        "1",
    ]
    result = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    assert json.loads(result.stdout)["id"] == "a"
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("api_port = 8443", "api_port 8443 is the web or the origin port too"),
        ("api_port = 7690", "api_port 7690 is the web or the origin port too"),
        ('api_address = "hq.example"', "api_address 'hq.example' is not an IP address"),
        ('api_address = ""', "api_address '' is not an IP address"),
        ("api_port = 65536", "65535"),
        ('api_certificate = "/etc/ssl/hq.pem"', "api_certificate and api_key go together"),
        ('api_key = "/etc/ssl/hq.key"', "api_certificate and api_key go together"),
        ('api_certificate = "hq.pem"\napi_key = "/hq.key"', "api_certificate 'hq.pem' is no whole path"),
        ('api_certificate = "/hq.pem"\napi_key = "/hq\\u0007"', "api_key '/hq"),
    ],
)
def test_the_api_has_a_port_of_its_own_and_an_address(shell: Shell, line: str, words: str) -> None:
    shell.init()
    name = line.partition(" ")[0]
    kept = [one for one in shell.home.settings.read_text().splitlines() if not one.startswith(name)]
    shell.home.settings.write_text("\n".join([line, *kept, ""]))
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        load_settings(shell.home)
    assert caught.value.kind is FaultKind.BAD_INPUT

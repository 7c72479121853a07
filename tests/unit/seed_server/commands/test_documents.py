"""What `--json` of each command prints is what its document says: no other key, no other type."""

import json
import time
from pathlib import Path

import msgspec
from click.testing import CliRunner

from p2pdist.identity.signed_statement import sign_statement
from p2pdist.identity.store import Identity
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.wire.messages import Diagnosis, DiagnosisAnswer, PatchReport
from p2pdist.shared.wire.neighbours_seen import NeighbourSeen, NeighboursSeen
from p2pdist.shared.wire.witness import AuditAlarm
from seed_server.commands.documents import DOCUMENTS
from seed_server.commands.main import seed_server
from seed_server.deltas.coded_cache import NO_BASE, CodedCache, Pair
from seed_server.deltas.piece_coding import BEST_LEVEL
from seed_server.fleet.archiving import Archivist
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.settings.sections import RetentionSettings
from seed_server.signer.new_key import make_key
from seed_server.store.database import Database, SeenRow
from seed_server.store.minute_rows import LineSlot, WatchedSlot, slot_of
from seed_server.store.rows import SiteLimitRow
from seed_server.store.session_records import PasskeyRow, WebSessionRow
from seed_server.store.webhook_records import DEAD, Attempt
from tests.helpers.intelligence_texts import epss_text, kev_text, written
from tests.helpers.statements import pc_of, statement
from tests.helpers.told_inventories import debian, tell
from tests.unit.seed_server.commands.test_custody_commands import log_of
from tests.unit.seed_server.commands.test_custody_commands import say as signed_by_its_pc

# where a server runs; of a rollout alone; of sites; of an archive that is missing
MAY_BE_EMPTY = {
    "endpoints show": ("beside",), "withdraw": ("rings",), "list": ("withdrawn_sites",),
    "inventory PACKAGES": ("rows",), "disk": ("expired_roles",), "disk clean": ("expired_roles",),
    "plan": ("rings", "sites"), "rollout approvals": ("approved_by", "could"), "rollout pcs": ("rows",),
    "report patch": ("cves", "requires", "supersedes", "failures", "titles"),
    "report history": ("unread", "removed"), "archive search": ("unread", "removed"),
}  # fmt: skip
NEEDS_A_PROVIDER = "login"  # `test_login_commands` has one
PROFILE = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'
TEMPLATE = 'title = "OpenSSL"\n[[item]]\nlabel = "old"\nexpression = \'package("openssl") < version("3.0.17")\'\n'
RECIPE = (
    'patch_id = "a"\nversion = "1"\nrepack = true\n[schedule]\ndeadline = 2020-01-01T00:00:00\n'
    '[[payload]]\nfile = "office.msi"\n'
)
LIMIT = SiteLimitRow(
    site="oslo", at=1.0, active=True, endpoints=8, fetchers=1, rate=2_400_000, capacity=2_500_000, configured=True,
    state="scavenge", reason="policy ceiling", seconds={"ramping up": 1.5}, yield_seconds=12.0, sending_seconds=91.5,
)  # fmt: skip
REPORT = PatchReport(
    patch_id="office", version="1", state="verified", progress=1.0, bytes_from_origin=7, bytes_from_peers=0,
    bytes_wasted=0, seconds=2.5, error="", install="waiting", install_reason="for a window",
)  # fmt: skip


def output_of(command: str, *arguments: object, exit_code: int = 0) -> str:
    """Return what a command prints; the capital words of its name only tell it from another one."""
    words = [word for word in command.split() if not word.isupper()]
    result = CliRunner().invoke(seed_server, [*words, *map(str, arguments), "--json"], catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
    return result.stdout


def lines(*arguments: object, command: str = "status") -> list[str]:
    """Return what a command prints line by line."""
    words = [*command.split(), "--json-lines", *map(str, arguments)]
    return CliRunner().invoke(seed_server, words, catch_exceptions=False).stdout.splitlines()


def approvers_in(folder: Path) -> Path:
    """Write a list of approvers, and the keys that it names."""
    for name in ("ada", "bob"):
        make_key(folder / name, "approver", None).public.rename(folder / f"{name}.pub")
    (folder / "approvers.toml").write_text('required = 1\n[keys]\nada = "ada.pub"\nbob = "bob.pub"\n')
    return folder / "approvers.toml"


def applied(folder: Path, here: tuple[str, Path]) -> dict[str, str]:
    """Return what the command prints that is about files: one thing is in them, one is not, one waits to be signed."""
    exported = output_of("apply", folder / "exported", *here, "--export")
    fleet, bundles = folder / "fleet", folder / "bundles"
    (fleet / "profiles").mkdir(parents=True)
    bundles.mkdir()
    (fleet / "profiles" / "auto-10.0.0.0%2F24.toml").write_text(PROFILE)
    return {
        "apply": output_of("apply", fleet, *here, "--prepare", bundles),
        "apply EXPORT": exported,
    }


def outputs(folder: Path) -> dict[str, str]:
    """Return what every command prints, on a home in which there is something of everything."""
    files = {"office.msi": "payload", "office.toml": PROFILE, "openssl.toml": TEMPLATE, "recipe.toml": RECIPE}
    for name, text in files.items():
        (folder / name).write_text(text)
    here = ("--home", folder / "home")
    found = {
        "init": output_of("init", *here, "--name", "hq", "--address", "127.0.0.1"),
        "token": output_of("token", *here, "--tag", "kiosk"),
        "publish": output_of(
            *("publish", *here, folder / "office.msi", "--patch-id", "office", "--version", "1"),
            *("--deadline", "2020-01-01T00:00", "--repack"),
        ),
        "lint": output_of("lint", folder / "recipe.toml"),
        "keys list": output_of("keys list", *here),
    }
    runner = CliRunner()
    for words in (
        ("profile", "set", "oslo", folder / "office.toml", "--new-site"),
        ("template", "set", "december", folder / "openssl.toml"),
        ("approver", "set", approvers_in(folder)),
    ):
        assert runner.invoke(seed_server, [str(word) for word in (*words, *here)]).exit_code == 0
    found |= bundles(folder, here)
    person = ("ada", *here, "--role", "operator", "--site", "oslo", "--tag", "kiosk", "--no-password")
    found["people add"] = output_of("people add", *person)
    token = ("nightly", *here, "--right", "publish", "--ttl", "1h", "--for", "ada")
    found["api-token make"] = output_of("api-token make", *token)
    found |= applied(folder, here)
    pc = pc_of(Context(ServerHome(folder / "home")).authority(), time.time())
    fill(ServerHome(folder / "home"), pc.endpoint_id)
    signed_by_its_pc(ServerHome(folder / "home"), pc, log_of("office", "driver"))
    code_ahead(ServerHome(folder / "home"))
    return (
        found
        | {
            "status": output_of("status", *here),
            "status PAGE": output_of("status", *here, "--site", "oslo", "--page-size", "1"),
            "status LINES": lines(*here)[0],
            "endpoints PAGE": output_of("endpoints", *here, "--page-size", "1"),
            "inventory": output_of("inventory", "ram_mb > 1", *here),
            "inventory PACKAGES": output_of("inventory", *here, "--packages", "openssl"),
            "inventory LINES": lines(*here, "--columns", "openssl", command="inventory")[0],
            "sites": output_of("sites", *here),
            "doctor": output_of("doctor", *here, exit_code=1),  # no server runs there
            "token list": output_of("token list", *here),
            "people list": output_of("people list", *here),
            "people show": output_of("people show", "ada", *here),
            "api-token list": output_of("api-token list", *here),
            "approver list": output_of("approver list", *here),
            "endpoints": output_of("endpoints", *here),
            "endpoints unmanaged": output_of("endpoints unmanaged", *here),
            "endpoints forget": output_of("endpoints forget", "b" * 26, *here, "--dry-run"),
            "endpoints show": output_of("endpoints show", pc.endpoint_id[:8], *here),
            "posture-check": output_of(
                "posture-check", signed_by(pc, folder / "statement"), *here, "--audience", "vpn"
            ),
            "profile show": output_of("profile show", *here),
            "profile show SITE": output_of("profile show", "oslo", *here),
            "audit list": output_of("audit list", *here, "--operation", "make token"),
            "audit alarms": output_of("audit alarms", *here),
            "audit verify": of_a_log_that_was_cut(folder, here),
            "audit custody": output_of("audit custody", pc.endpoint_id, *here),
            "audit prove": output_of("audit prove", "0", *here),
            "audit new-key": output_of("audit new-key", *here, "--reason", "a disk failed"),
            "template list": output_of("template list", *here),
            "template show": output_of("template show", "december", *here),
            **offers(folder, here),
            **archives(folder, here),
            **disk(folder, here),
            **rollouts(folder, here),
            **weaknesses(folder, here),
            **reports(folder, here),
            **backups(folder, here),
            **webhooks(here),
            **of_people(here),
            **of_a_line(here),
            **moves(folder, here),
        }
    )


def of_people(here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that say where somebody is logged in, and by which keys."""
    now = time.time()
    with Context(ServerHome(Path(str(here[1])))).database() as database:
        session = WebSessionRow(
            "5f0c6a1b92d4", "ada", now, now, now + 3_600.0, 600.0, "code", now, "10.1.2.3", "Firefox"
        )  # fmt: skip
        database.add_web_session(b"s" * 32, session)
        database.add_passkey(PasskeyRow("aabbccdd", "ada", "blue", b"c" * 16, b"k" * 77, 1, now, now))
    return {
        f"people {command}": output_of(f"people {command}", "ada", *here)
        for command in ("sessions", "keys", "end-sessions")
    }


def of_a_line(here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that are about one site's line."""
    now = time.time()
    with Context(ServerHome(Path(str(here[1])))).database() as database:
        slot = LineSlot("oslo", slot_of(now) - 1, active=300.0, sent=6_000, allowed=15_000.0, cause="policy ceiling")
        database.add_line_minutes([slot], [WatchedSlot(slot.slot, 1, 600.0)])
    return {
        "site why": output_of("site why", "oslo", *here),
        "site history": output_of("site history", "oslo", *here, "--hours", "1"),
    }


def webhooks(here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that tell others what happens, where no server runs."""
    address = "https://chat.example.com/hooks/7"
    found = {
        "webhook add": output_of("webhook add", *here, address, "--name", "chat", "--events", "rollout"),
        "webhook list": output_of("webhook list", *here),
        "webhook show": output_of("webhook show", *here, "chat"),
        "webhook test": output_of("webhook test", *here, "chat", exit_code=1),
        "webhook rotate-secret": output_of("webhook rotate-secret", *here, "chat"),
        "webhook deliveries": output_of("webhook deliveries", *here, "chat"),
    }
    with Context(ServerHome(Path(str(here[1])))).database() as database:
        (ping,) = database.deliveries(None, ("waiting",), 1)
        database.save_attempts([Attempt(ping.number, ping.webhook, DEAD, 1, 1.0, 2.0, 3.0, 503, "refused")])
    for word in ("dead", "redeliver chat --dead", "pause chat", "resume chat", "remove chat"):
        command, *given = word.split()
        found[f"webhook {command}"] = output_of(f"webhook {command}", *here, *given)
    return found


def backups(folder: Path, here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that back up and restore, when a payload and a file of the backup are damaged."""
    home, directory = ServerHome(folder / "home"), folder / "backup"
    for path in home.content.iterdir():
        if not path.suffix:
            path.write_bytes(b"damaged")
    made = output_of("backup", directory, *here, "--without-keys", exit_code=1)
    restored = output_of("restore", directory, "--home", folder / "restored", "--keys", home.keys)
    next((directory / "objects").glob("*/*")).write_bytes(b"x")
    verified = output_of("backup VERIFY", directory, "--verify", exit_code=1)
    return {"backup": made, "backup VERIFY": verified, "restore": restored}


def archives(folder: Path, here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that are about what happened, when its month has left the database."""
    context = Context(ServerHome(folder / "home"))
    with context.database() as database:
        for _ in range(2):
            Archivist(context, database, RetentionSettings(), others_turn=lambda: None).tidy()
    found = {
        "archive hold": output_of("archive hold", *here, "--reason", "case 17"),
        "archive list": output_of("archive list", *here),
        "archive release": output_of("archive release", "1", *here),
        "archive verify": output_of("archive verify", *here),
    }
    for command in ("report history", "archive search"):
        found[command] = output_of(command, *here, "--page-size", "1")
        found[f"{command} LINES"] = lines(*here, command=command)[0]
    return found


def disk(folder: Path, here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that are about the server's disk, where a file is needed by nobody."""
    (folder / "old.msi").write_text("a superseded payload")
    for version, file in (("1", "old.msi"), ("2", "office.toml")):
        output_of("publish", *here, folder / file, "--patch-id", "old", "--version", version)
    return {"disk": output_of("disk", *here), "disk clean": output_of("disk clean", *here, "--all")}


def offers(folder: Path, here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that take a patch away and bring it back."""
    (folder / "suite.msi").write_text("a third payload")
    suite = (folder / "suite.msi", "--patch-id", "suite", "--version", "1", "--requires", "office")
    output_of("publish", *here, *suite)
    return {
        "withdraw": output_of("withdraw", "office", "--reason", "crashes", *here),
        "list": output_of("list", *here),
        "plan": output_of("plan", "suite", *here, "--template", "rings"),
        "offer": output_of("offer", "office", *here),
    }


def rollouts(folder: Path, here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that carry a patch from ring to ring, and hold PCs back from one."""
    output_of("people add", "bea", *here, "--role", "approver", "--no-password")
    token = json.loads(
        output_of("api-token make", "approves", *here, "--right", "approve", "--ttl", "1h", "--for", "bea")
    )
    (folder / "token").write_text(token["token"])
    (folder / "till.msi").write_text("a fourth payload")
    till = (folder / "till.msi", "--patch-id", "till", "--version", "1", "--template", "rings")
    output_of("publish", *here, *till)
    said = (*here, "--reason", "crashes on start")
    found = {
        "rollout list": output_of("rollout list", *here),
        "rollout approvals": output_of("rollout approvals", *here),
        "rollout pcs": output_of("rollout pcs", "1", *here, "--page-size", "1"),
    }
    for word in ("pause", "resume", "halt"):
        found[f"rollout {word}"] = output_of(f"rollout {word}", "1", *(said if word in ("pause", "halt") else here))
    words = ["--token-file", str(folder / "token"), "rollout", "approve", "1", *map(str, here), "--json"]
    found["rollout approve"] = CliRunner().invoke(seed_server, words, catch_exceptions=False).stdout
    found |= {f"rollout {word}": output_of(f"rollout {word}", "1", *here) for word in ("show", "why")}
    found["rollout abort"] = output_of("rollout abort", "1", *said)
    found["rollout start"] = output_of("rollout start", "till", *here, "--template", "rings")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86_400))
    who = ("--who", '"till" in tags', "--until", day, "--reason", "Christmas trade", "--owner", "Store IT")
    found["exception add"] = output_of("exception add", "--patch", "till", *who, *here)
    found["exception list"] = output_of("exception list", *here)
    return found | {"exception end": output_of("exception end", "1", *here)}


def weaknesses(folder: Path, here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that are about weaknesses, by a file that is old."""
    (folder / "agent.msi").write_text("a fifth payload")
    output_of("publish", *here, folder / "agent.msi", "--patch-id", "agent", "--version", "1", "--cve", "CVE-2025-1001")
    kev = written(folder / "kev.json", kev_text(["CVE-2025-1001"], day="2025-06-01"))
    scores = epss_text({"CVE-2025-1001": (0.5, 0.99)}, day="2025-06-01")
    return {
        "intelligence import": output_of("intelligence import", *here, kev, written(folder / "epss.csv", scores)),
        "intelligence show": output_of("intelligence show", *here),
        "intelligence show CVE": output_of("intelligence show", "CVE-2025-1001", *here),
        "priority": output_of("priority", "agent", *here),
        "plan": output_of("plan", "agent", *here),
    }


def reports(folder: Path, here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands print that account for a patch, and for PCs that lack it."""
    with ServerHome(folder / "home").settings.open("a") as file:
        file.write('\n[[sla]]\nname = "all"\nshare_percent = 95\ndays = 7\n')
    approve = ["--token-file", str(folder / "token"), "rollout", "approve", "2", *map(str, here)]
    assert CliRunner().invoke(seed_server, approve).exit_code == 0
    pc = json.loads(output_of("report missing", "till", *here))["rows"][0]["endpoint_id"]
    found = {"report follow-up": output_of("report follow-up", pc, "--state", "ticket", "--note", "IT-1", *here)}
    for command, named in (("report sla", ()), ("report missing", ("till",))):
        found[command] = output_of(command, *named, *here)
        found[f"{command} LINES"] = lines(*named, *here, command=command)[0]
    found["report compliance"] = output_of("report compliance", *here)
    return found | {"report patch": output_of("report patch", "till", *here)}


def of_a_log_that_was_cut(folder: Path, here: tuple[object, ...]) -> str:
    """Return what `audit verify` prints where something is wrong."""
    (folder / "checkpoint").write_text("none")
    words = ["audit", "verify", *map(str, here), "--checkpoint", str(folder / "checkpoint"), "--json"]
    result = CliRunner().invoke(seed_server, words)
    assert result.exit_code == 1
    return result.stdout


def bundles(folder: Path, here: tuple[object, ...]) -> dict[str, str]:
    """Return what the commands for signing elsewhere print."""
    (folder / "word.msi").write_text("another payload")
    bundle, keys = folder / "word.bundle", folder / "home" / "keys" / "offline"
    word = (folder / "word.msi", "--patch-id", "word", "--version", "1")
    found = {"publish BUNDLE": output_of("publish BUNDLE", *here, *word, "--prepare", bundle)}
    found["prepared"] = output_of("prepared", *here)
    runner = CliRunner()
    for words in (
        ("renew", "--prepare", bundle, *here),
        ("sign", bundle, "--keys", keys, "--yes"),
    ):
        assert runner.invoke(seed_server, [str(word) for word in words]).exit_code == 0
    found["finish BUNDLE"] = output_of("finish BUNDLE", *here, bundle)
    return found


def moves(folder: Path, here: tuple[object, ...]) -> dict[str, str]:
    """Return what the command prints that tells PCs another address, before it is signed and afterwards."""
    to, keys = ("--to", "patches.example.com"), ("--offline-keys", folder / "home" / "keys" / "offline")
    prepared = output_of("move BUNDLE", *here, *to, "--prepare", folder / "move.bundle")
    (folder / "move.bundle").unlink()
    words = ["move", *map(str, (*here, *to, *keys))]
    assert CliRunner().invoke(seed_server, words).exit_code == 0
    return {"move BUNDLE": prepared, "move": output_of("move", *here)}


def signed_by(pc: Identity, file: Path) -> Path:
    """Return ``file`` with what a PC states of itself."""
    file.write_text(sign_statement(pc, statement(pc, time.time(), nonce="n", audience="vpn")))
    return file


def code_ahead(home: ServerHome) -> None:
    """Leave what the running server codes of each patch."""
    cache = CodedCache(home.coded, min_free_bytes=0)
    with Database.open(home.database) as database:
        for payload in database.payloads():
            cache.keep(Pair(TorrentHash(payload.torrent_hash), NO_BASE), PieceIndex(0), BEST_LEVEL, None)


def fill(home: ServerHome, endpoint_id: str) -> None:
    home.sites.write_text("[[site]]\n")  # it has no name: a problem to be told
    with Database.open(home.database) as database:
        (payload,) = database.payloads()
        (token,) = database.tokens()
        database.add_endpoint(endpoint_id, "pc-1", 1.0)
        database.forget_endpoint(endpoint_id, 1.0)
        for endpoint in (endpoint_id, "b" * 26):
            database.add_endpoint(endpoint, "pc-1", 1.0, ("kiosk",))
            database.add_enrolment(endpoint, token.token_id, 1.0)
        copied = SeenRow(
            site="oslo", address="10.0.0.9", software="", connected=False, last_seen_at=1.0, shared_with="pc-2"
        )  # fmt: skip
        database.save_seen({"b" * 26: copied})
        tell(database, "b" * 26, debian(openssl="3.0.11"), time.time())
        database.save_facts({endpoint_id: {"os.id": "debian"}})
        database.save_findings({endpoint_id: ("clock",)})
        printer = NeighbourSeen("52:54:00:12:34:56", "10.0.0.7")
        database.save_neighbours({"b" * 26: NeighboursSeen(("52:54:00:00:00:01",), (printer,))}, 2.0)
        database.save_witness_alarms({endpoint_id: AuditAlarm("shorter", 9, 1)}, 2.0)
        database.save_reports({endpoint_id: [REPORT]}, 2.0)
        database.add_wan_bytes({("oslo", payload.torrent_hash): 7})
        database.save_site_limits([LIMIT])
        answer = DiagnosisAnswer(label="old", applies=True, needed=True, reason="openssl 3.0.11 < 3.0.17")
        for endpoint in (endpoint_id, "b" * 26):
            database.save_diagnosis(endpoint, Diagnosis(template="december", answers=(answer,)), 3.0)


def test_every_command_prints_its_document(tmp_path: Path) -> None:
    printed = outputs(tmp_path)
    assert set(printed) == set(DOCUMENTS) - {NEEDS_A_PROVIDER}
    for command in printed:
        value = json.loads(printed[command])
        document = msgspec.convert(value, DOCUMENTS[command], strict=True)
        assert json.loads(msgspec.json.encode(document)) == value, command
        for part in value if isinstance(value, list) else [value]:
            for key in MAY_BE_EMPTY.get(command, ()):
                part.pop(key, None)
        assert nothing_empty_in(value), f"{command}: an empty list proves nothing"


def nothing_empty_in(value: object) -> bool:
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return bool(value) and all(map(nothing_empty_in, inner))
    return True

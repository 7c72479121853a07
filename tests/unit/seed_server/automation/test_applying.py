"""Files are carried out on a real home: once, by the operations, in one readable run of the audit log."""

import os
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation.applying import APPLY, ENDED_EARLY, Applied, apply_plan, plan_of_text, read_plan
from seed_server.automation.declared_export import write_export
from seed_server.fleet import preparing
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.home_file_operations import set_site_map
from seed_server.line.site_map_file import load_sites
from seed_server.settings.home import ServerHome
from seed_server.signer.review import open_review
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.profiles import read_profiles
from seed_server.signing.templates import read_templates
from seed_server.store.audit_entry import AuditEntry, decode_entry
from tests.helpers.people import ROOT, cheap_passwords, copied, new_home, person

PROFILE = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'
TEMPLATE = """title = "OpenSSL"
[[item]]
label = "openssl"
applies_to = '"server" in tags'
expression = 'package("openssl") < version("3.0.17")'
[[item]]
label = "config"
checks = [{ kind = "file", path = "/etc/ssl/openssl.cnf" }]
"""
FILES = {
    "sites.toml": '# ours\n[[site]]\nname = "oslo"\nnetworks = ["10.1.0.0/16"]\nline_mbit = 20\n',
    "profiles/oslo.toml": PROFILE,
    "profiles/auto-10.9.0.0%2F24.toml": PROFILE,
    "templates/openssl.toml": TEMPLATE,
    "people.toml": '[[person]]\nname = "ada"\nroles = ["administrator"]\n'
    '[[person]]\nname = "nora"\nroles = ["network-admin"]\nsites = ["oslo"]\ndisabled = true\n',
    "settings.toml": 'rollout_template = "rings"\nbackup_days = 9\n[retention]\nhot_months = 3\n',
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def context(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    cheap_passwords(monkeypatch)
    return copied(home, tmp_path)[0]


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    write(tmp_path / "fleet", FILES)
    return tmp_path / "fleet"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def keys_of(context: Context) -> OfflineKeys:
    return OfflineKeys(context.home.offline_keys, None)


def apply(context: Context, folder: Path, *, actor: Actor = ROOT, prune: bool = False) -> Applied:
    return apply_plan(context, actor, read_plan(context, folder, prune=prune), keys_of(context), "fleet")


def entries(context: Context) -> list[AuditEntry]:
    with context.database() as database:
        found = [database.audit_entry(number) for number in range(database.audit_size())]
    return [decode_entry(one) for one in found if one is not None]


def version(context: Context) -> int:
    return context.repository().timestamp_version()


def test_a_run_does_all_of_it_and_the_next_one_nothing(context: Context, fleet: Path) -> None:
    before = version(context)
    applied = apply(context, fleet)
    assert len(applied.plan.changes) == 9
    assert [site.name for site in load_sites(context.home).sites] == ["oslo"]
    assert context.home.sites.read_text() == FILES["sites.toml"]
    assert {site: one.text for site, one in read_profiles(context.repository()).items()} == {
        "auto-10.9.0.0/24": PROFILE,
        "oslo": PROFILE,
    }
    assert version(context) == before + 2  # all profiles at once, and all templates
    assert read_templates(context.repository())["openssl"].title == "OpenSSL"
    with context.database() as database:
        people = {one.name: (one.roles, one.sites, one.disabled, one.password) for one in database.people()}
    assert people == {
        "ada": (("administrator",), (), False, ""),
        "nora": (("network-admin",), ("oslo",), True, ""),
    }
    settings = context.settings()
    assert (settings.rollout_template, settings.backup_days, settings.retention.hot_months) == ("rings", 9, 3)
    assert (settings.name, settings.address) == ("hq", "127.0.0.1")
    size = len(entries(context))
    again = read_plan(context, fleet, prune=True)
    assert again.changes == ()
    apply_plan(context, ROOT, again, keys_of(context), "fleet")
    assert (len(entries(context)), version(context)) == (size, before + 2)


def test_a_run_is_one_entry_that_people_can_read_before_those_of_the_operations(context: Context, fleet: Path) -> None:
    apply(context, fleet)
    first, *others = entries(context)
    assert (first.operation, first.subject, first.actor) == (APPLY, "fleet: +9 ~0 -0", "local:root")
    assert first.details == {
        "sites": "+oslo",
        "profiles": "+auto-10.9.0.0/24 +oslo",
        "templates": "+openssl",
        "people": "+ada +nora",
        "settings": "+rollout_template +backup_days +retention",
    }
    assert [one.operation for one in others] == [
        "set site map", "set profiles", "set templates", "add account", "add account", "disable account",
        "change settings",
    ]  # fmt: skip
    assert {one.request for one in others} == {first.request}
    assert {(one.operation, one.details.get("keys")) for one in others} >= {
        ("change settings", "rollout_template backup_days retention")
    }


def test_what_is_there_is_written_as_files_that_change_nothing(context: Context, fleet: Path, tmp_path: Path) -> None:
    write_export(context, tmp_path / "empty")
    assert read_plan(context, tmp_path / "empty", prune=True).changes == ()
    apply(context, fleet)
    assert sorted(write_export(context, tmp_path / "export")) == sorted(FILES)
    plan = read_plan(context, tmp_path / "export", prune=True)
    assert (plan.changes, plan.stays) == ((), ())
    with pytest.raises(UserError, match="is there already") as caught:
        write_export(context, tmp_path / "export")
    assert caught.value.kind is FaultKind.REFUSED


def test_an_exported_fleet_makes_another_server_the_same(
    context: Context, fleet: Path, tmp_path: Path, home: ServerHome
) -> None:
    apply(context, fleet)
    write_export(context, tmp_path / "export")
    (tmp_path / "other").mkdir()
    other, _ = copied(home, tmp_path / "other")
    apply(other, tmp_path / "export")
    write_export(other, tmp_path / "again")
    texts = [
        {path.relative_to(folder): path.read_text() for path in folder.rglob("*.toml")}
        for folder in (tmp_path / "export", tmp_path / "again")
    ]
    assert texts[0] == texts[1]


def test_what_is_not_in_the_files_goes_by_prune_alone(context: Context, fleet: Path, tmp_path: Path) -> None:
    apply(context, fleet)
    less = tmp_path / "less"
    write(less, {"people.toml": '[[person]]\nname = "ada"\nroles = ["administrator"]\n', "settings.toml": ""})
    (less / "profiles").mkdir()
    assert read_plan(context, less).changes == ()
    apply(context, less, prune=True)
    assert read_profiles(context.repository()) == {}
    assert [site.name for site in load_sites(context.home).sites] == ["oslo"]  # there is no sites.toml
    with context.database() as database:
        assert [one.name for one in database.people()] == ["ada"]
    assert context.settings().backup_days == 3
    write(less, {"people.toml": ""})
    with pytest.raises(UserError, match="ada is the last"):
        read_plan(context, less, prune=True)


def test_nothing_is_done_without_the_right_to_all_of_it(context: Context, fleet: Path) -> None:
    nora = person(context, "nora", "network-admin")
    (fleet / "people.toml").unlink()
    (fleet / "settings.toml").unlink()
    size = len(entries(context))
    with pytest.raises(UserError, match="the right 'templates' is missing") as caught:
        apply(context, fleet, actor=nora)
    assert caught.value.kind is FaultKind.REFUSED
    assert len(entries(context)) == size
    (fleet / "templates" / "openssl.toml").unlink()
    apply(context, fleet, actor=nora)
    limited = person(context, "ola", "network-admin", sites=("oslo",))
    (fleet / "profiles" / "oslo.toml").write_text(PROFILE + "# x\n")
    apply(context, fleet, actor=limited)
    (fleet / "sites.toml").write_text(FILES["sites.toml"].replace("20", "30"))
    with pytest.raises(UserError, match="reaches further"):
        apply(context, fleet, actor=limited)


def test_nothing_is_done_without_the_keys(context: Context, fleet: Path, tmp_path: Path) -> None:
    plan = read_plan(context, fleet)
    with pytest.raises(UserError, match="key is not at"):
        apply_plan(context, ROOT, plan, OfflineKeys(tmp_path / "none", None), "fleet")
    assert entries(context) == []


def test_a_run_that_ends_early_says_how_far_it_came(context: Context, fleet: Path) -> None:
    plan = read_plan(context, fleet)
    set_site_map(context, ROOT, "# somebody else\n", before=context.home.sites.read_text())
    with pytest.raises(UserError, match="was changed meanwhile") as caught:
        apply_plan(context, ROOT, plan, keys_of(context), "fleet")
    assert caught.value.kind is FaultKind.BUSY
    last = entries(context)[-1]
    assert last.operation == ENDED_EARLY
    assert "was changed meanwhile" in last.reason
    assert last.details["not done: sites"] == "+oslo"
    apply(context, fleet)  # from where it is now
    assert read_plan(context, fleet).changes == ()


def test_what_is_signed_elsewhere_waits_as_bundles(context: Context, fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    plan = read_plan(context, fleet)
    elsewhere = tmp_path / "keys"
    context.home.offline_keys.rename(elsewhere)
    applied = apply_plan(context, ROOT, plan, keys_of(context), "fleet", prepare=tmp_path / "bundles")
    assert [path.name for path, _ in applied.bundles] == ["profiles.bundle", "templates.bundle"]
    assert {one.kind for one in read_plan(context, fleet).changes} == {"profile", "template"}
    for path, _ in applied.bundles:
        review = open_review(
            path,
            elsewhere,
            root=context.home.first_root,
            files=(),
            now=context.clock.now(),
            on_bytes=lambda *_: None,
        )
        assert review.only_adds
        review.sign(OfflineKeys(elsewhere, None))
        preparing.finish(context, ROOT, path)
    assert read_plan(context, fleet).changes == ()


def test_a_ring_template_has_to_be_there(context: Context, fleet: Path, tmp_path: Path) -> None:
    def problem(named: str, key: str = "rollout_template") -> str:
        (fleet / "settings.toml").write_text(f"{key} = {named!r}\n".replace("'", '"'))
        with pytest.raises(UserError) as caught:
            read_plan(context, fleet)
        return caught.value.message

    assert "settings.toml: rollout_template: There is no template ring. Did you mean rings?" in problem("ring")
    assert "is no file on this server" in problem("mine.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    assert "is no file on this server" in problem(str(tmp_path / "pipe.toml"))
    assert "does not say for which patches it is" in problem("rings", "emergency_template")


def test_problems_of_the_home_and_of_the_files_are_told_apart(context: Context, fleet: Path) -> None:
    context.home.sites.write_text("[[site]]\n")
    with pytest.raises(UserError, match=str(context.home.sites)):
        read_plan(context, fleet)
    context.home.settings.unlink()
    with pytest.raises(UserError) as caught:
        read_plan(context, fleet)
    assert caught.value.kind is FaultKind.NOT_SET_UP


def test_a_plan_of_one_text_is_that_of_the_files(context: Context, fleet: Path) -> None:
    text = "".join(f"# file: {name}\n{text}" for name, text in FILES.items())
    of_text, of_files = plan_of_text(context, text, ""), read_plan(context, fleet)
    assert of_text.changes == of_files.changes
    assert plan_of_text(context, text, "", prune=True).stays == ()
    with pytest.raises(UserError, match="nothing in the text") as caught:
        plan_of_text(context, "\n", "")
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_text_reads_no_file_of_the_server(context: Context, tmp_path: Path) -> None:
    (tmp_path / "secret.toml").write_text("secret = 1\n")
    for named in (tmp_path / "secret.toml", "/etc/passwd", "emergency-of-ours"):
        plan = plan_of_text(context, f'rollout_template = "{named}"\n', "settings.toml")
        assert [one.name for one in plan.changes] == ["rollout_template"]
    with pytest.raises(UserError, match="emergency_template: rings does not say"):
        plan_of_text(context, 'emergency_template = "rings"\n', "settings.toml")

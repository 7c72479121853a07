"""`p2pdist.shared.manifest.suitability`: which file of a patch a PC takes, and why none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.manifest.documents import Manifest, Payload
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.suitability import Choice, choose, language_distance, platform_rank
from p2pdist.shared.manifest.versions import Ecosystem, parse_version

LANGUAGES = ["", "en", "en-us", "en-gb", "ja", "ja-jp", "zh", "zh-tw", "zh-hk", "zh-cn", "zh-sg", "zh-hant-tw", "pt-br"]
FAMILIES = ["debian", "rhel", "arch", "windows", "macos", ""]
ARCHES = ["amd64", "arm64", ""]


def variant(spec: str) -> Payload:
    """``platform/arch/language``."""
    platform, arch, language = spec.split("/")
    return Payload(
        file_name="f",
        length_bytes=1,
        sha256="0" * 64,
        torrent_hash="1" * 64,
        platform=platform,
        arch=arch,
        language=language,
    )


def manifest(*variants: str, applies_to: str = "") -> Manifest:
    return Manifest(
        format=1, patch_id="a", version="1", title="", severity="low", cvss=None, published_at=0,
        payloads=[variant(spec) for spec in variants], applies_to=applies_to,
    )  # fmt: skip


def pc(spec: str) -> Facts:
    found = zip(("os.family", "arch", "os.language"), spec.split("/"), strict=True)
    return Facts(values={name: text for name, text in found if text})


def chosen(specs: str, of: str) -> str | None:
    variants = specs.split()
    payload = choose(manifest(*variants), pc(of)).payload
    return None if payload is None else f"{payload.platform}/{payload.arch}/{payload.language}"


@pytest.mark.parametrize(
    ("variants", "of", "takes"),
    [
        ("//", "debian/amd64/ja-jp", "//"),
        ("//", "//", "//"),
        ("// linux// debian//", "debian/amd64/en-us", "debian//"),
        ("// linux// debian//", "rhel/amd64/en-us", "linux//"),
        ("// linux// debian//", "arch/amd64/en-us", "linux//"),
        ("// linux// debian//", "windows/amd64/en-us", "//"),
        ("linux// debian//", "macos/arm64/en-us", None),
        ("linux// debian//", "//en-us", None),
        ("/amd64/ /arm64/", "windows/arm64/en-us", "/arm64/"),
        ("// /arm64/", "windows/arm64/en-us", "/arm64/"),
        ("/amd64/", "windows/arm64/en-us", None),
        ("/amd64/", "windows//en-us", None),
        ("windows// /amd64/", "windows/amd64/en-us", "windows//"),
        ("windows//en-us windows//ja-jp", "windows/amd64/ja-jp", "windows//ja-jp"),
        ("//en-us //ja", "windows/amd64/ja-jp", "//ja"),
        ("// //en-us //zh-hk //zh //zh-tw", "windows/amd64/zh-tw", "//zh-tw"),
        ("// //en-us //zh-hk //zh //zh-cn", "windows/amd64/zh-tw", "//zh"),
        ("// //en-us //zh-cn //zh-hk", "windows/amd64/zh-tw", "//zh-hk"),
        ("// //en-us //zh-cn", "windows/amd64/zh-tw", "//en-us"),
        ("// //en //zh-tw //zh-hk", "windows/amd64/zh-sg", "//en"),
        ("// //zh-tw //zh-sg", "windows/amd64/zh-cn", "//zh-sg"),
        ("// //zh-tw", "windows/amd64/zh-cn", "//"),
        ("//zh-tw //zh-hk", "windows/amd64/zh-cn", None),
        ("//zh-tw", "windows/amd64/zh", "//zh-tw"),
        ("//zh-cn //zh-hant", "windows/amd64/zh-hk", "//zh-hant"),
        ("//pt-pt //en-us", "windows/amd64/pt-br", "//pt-pt"),
        ("//de-de //en //en-us", "windows/amd64/ja-jp", "//en-us"),
        ("//de-de", "windows/amd64/ja-jp", None),
        ("//de-de //en-us", "windows/amd64/", "//en-us"),
        ("//en-gb //", "windows/amd64/ja-jp", "//"),
        ("//en-gb //", "windows/amd64/en-us", "//en-gb"),
        ("windows//en-us /amd64/ja-jp", "windows/amd64/ja-jp", "windows//en-us"),
    ],
)
def test_the_variant_that_suits_best(variants: str, of: str, takes: str | None) -> None:
    assert chosen(variants, of) == takes


@pytest.mark.parametrize(
    ("variants", "of", "reason"),
    [
        ("windows/amd64/", "windows/arm64/en-us", "no variant for windows arm64"),
        ("windows//", "//", "no variant for a system that is not known"),
        ("//de-de //fr", "windows/amd64/ja-jp", "no variant for windows amd64 in ja-jp, only de-de, fr"),
        ("//de-de", "windows/amd64/", "no variant for windows amd64 in a language that is not known, only de-de"),
    ],
)
def test_why_there_is_none(variants: str, of: str, reason: str) -> None:
    assert choose(manifest(*variants.split()), pc(of)) == Choice(None, reason)


def test_a_patch_that_does_not_apply_says_what_decided() -> None:
    openssl = parse_version("3.0.19", Ecosystem.DEB)
    older = manifest("//", applies_to='package("openssl") < version("3.0.17")')
    facts = Facts(values=pc("debian/amd64/").values, packages={"openssl": openssl})
    assert choose(older, facts) == Choice(None, "not applicable: openssl 3.0.19 ≥ 3.0.17")
    newer = manifest("//", applies_to='package("openssl") < version("3.0.20")')
    assert choose(newer, facts) == Choice(newer.payloads[0], "openssl 3.0.19 < 3.0.20")


SPECS = st.builds(
    "{}/{}/{}".format,
    st.sampled_from(["", "linux", "debian", "windows"]),
    st.sampled_from(["", "amd64", "arm64"]),
    st.sampled_from(LANGUAGES),
)
PCS = st.builds("{}/{}/{}".format, st.sampled_from(FAMILIES), st.sampled_from(ARCHES), st.sampled_from(LANGUAGES))


@given(st.lists(SPECS, min_size=1, max_size=8), PCS)
def test_nothing_fits_better_than_what_is_chosen(variants: list[str], of: str) -> None:
    choice = choose(manifest(*variants), pc(of))
    family, arch, language = of.split("/")
    alone = [choose(manifest(spec), pc(of)).payload for spec in variants]
    if choice.payload is None:
        assert alone == [None] * len(variants)
        assert choice.reason.startswith("no variant for ")
        return
    taken = choice.payload
    assert taken.platform in ("", family, "linux")
    assert taken.arch in ("", arch)
    for other in filter(None, alone):
        rank, taken_rank = platform_rank(other.platform, family), platform_rank(taken.platform, family)
        assert rank is not None
        assert taken_rank is not None
        assert rank <= taken_rank
        if (other.platform, other.arch) == (taken.platform, taken.arch):
            near, taken_near = (language_distance(one.language, language) for one in (other, taken))
            assert near is not None
            assert taken_near is not None
            assert taken_near <= near


@given(st.lists(SPECS, min_size=1, max_size=8), PCS)
def test_the_choice_is_one_of_the_payloads_and_their_order_decides_only_among_equals(
    variants: list[str], of: str
) -> None:
    there, back = (choose(manifest(*order), pc(of)).payload for order in (variants, variants[::-1]))
    assert there is None or there in manifest(*variants).payloads
    if there is None or back is None:
        assert there is back
        return
    assert (there.platform, there.arch) == (back.platform, back.arch)
    language = of.split("/")[2]
    assert language_distance(there.language, language) == language_distance(back.language, language)


@pytest.mark.parametrize("one", ["zh-tw", "zh-hk", "zh-hant-tw"])
@pytest.mark.parametrize("other", ["zh-cn", "zh-sg", "zh-hans"])
def test_the_two_chinese_scripts_never_stand_in_for_each_other(one: str, other: str) -> None:
    assert language_distance(one, other) is None
    assert language_distance(other, one) is None

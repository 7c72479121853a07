"""`seed_server.web.frame.headers`: what every answer says besides."""

from seed_server.web.frame.headers import page_headers


def test_nothing_is_loaded_from_elsewhere_and_nothing_inline() -> None:
    policy = page_headers("r", tls=True)["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= set(policy)
    assert not any("unsafe" in part or "http" in part for part in policy)


def test_the_browser_is_bound_to_tls_only_where_there_is_some() -> None:
    assert "Strict-Transport-Security" in page_headers("r", tls=True)
    assert "Strict-Transport-Security" not in page_headers("r", tls=False)


def test_a_page_is_kept_nowhere_and_a_file_with_its_hash_for_long() -> None:
    assert page_headers("r", tls=True)["Cache-Control"] == "no-store"
    assert page_headers("", tls=True, cache="public")["Cache-Control"] == "public"
    assert "X-Request-Id" not in page_headers("", tls=True)

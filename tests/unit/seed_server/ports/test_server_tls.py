"""`seed_server.ports.server_tls`: what happens when OpenSSL's temporary file cannot be written."""

import tempfile
import time
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.ports.server_tls import ServerTls


def test_full_or_missing_temporary_directory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = CertificateAuthority.create(tmp_path, "hq", time.time())
    certificate = authority.issue_server_certificate(["127.0.0.1"], time.time())
    tls = ServerTls(authority.control_ca_pem, certificate)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(UserError) as caught:
        tls.replace_certificate(certificate)
    assert caught.value.kind is FaultKind.STORAGE

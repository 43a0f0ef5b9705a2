"""Making an operator's certificate, and using one: the files, and what is said before anybody is asked."""

import datetime
import json
from pathlib import Path
from stat import S_IMODE

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from proa.core.auth.ca import private_pem
from proa.core.auth.csr import build_csr
from proa.core.auth.spiffe import SpiffeId
from proa.servers.admin.operations import OperatorRequest
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve


def test_a_key_that_stays_here(proa: Proa, serve: Serve, tmp_path: Path) -> None:
    operations, there = FixedOperations(), tmp_path / "there"
    with serve(operations):
        done = proa(
            "certificate", "issue-operator", "ann", "--role", "admin", "--ttl", "1h", "--directory", there
        )
    assert done.exit_code == 0, done.output
    (asked,) = operations.asked
    assert isinstance(asked, OperatorRequest)
    assert (asked.name, asked.role, asked.ttl_s) == ("ann", "admin", 3600)
    assert asked.author
    key = load_pem_private_key((there / "ann.key").read_bytes(), None)
    request = x509.load_pem_x509_csr(asked.csr_pem.encode())
    assert request.public_key() == key.public_key()
    assert S_IMODE((there / "ann.key").stat().st_mode) == 0o600
    assert [(there / name).read_text() for name in ("ann.pem", "ann.roots.pem")] == ["chain\n", "roots\n"]


def test_a_request_of_the_operators_own(proa: Proa, serve: Serve, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    csr = tmp_path / "bob.csr"
    csr.write_text(build_csr(key, SpiffeId("cluster.local", "/proa/operator/viewer/bob")))
    operations, words = FixedOperations(), ("certificate", "issue-operator", "bob", "--csr", csr)
    with serve(operations):
        done = proa(*words, "--directory", tmp_path / "d", "-o", "json")
    files = [Path(each).name for each in json.loads(done.stdout)["files"]]
    assert files == ["bob.pem", "bob.roots.pem"]
    (asked,) = operations.asked
    assert isinstance(asked, OperatorRequest)
    assert (asked.csr_pem, asked.role) == (csr.read_text(), "viewer")


def test_what_cannot_be_asked(proa: Proa, serve: Serve, tmp_path: Path) -> None:
    assert proa("certificate", "issue-operator", "a/b").exit_code == 2
    (tmp_path / "file").write_text("")
    with serve(FixedOperations()):
        done = proa("certificate", "issue-operator", "ann", "--directory", tmp_path / "file" / "x")
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr


def test_what_the_environment_must_say(proa: Proa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(**names: object) -> str:
        with monkeypatch.context() as patch:
            for name, value in names.items():
                patch.setenv(f"PROA_{name}", str(value))
            done = proa("get", "vs")
        assert done.exit_code == 1
        return done.stderr

    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    over = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(2))
        .not_valid_after(now - datetime.timedelta(1))
        .sign(key, SHA256())
    )
    files = {name: tmp_path / name for name in ("ROOTS_FILE", "CERTIFICATE_FILE", "KEY_FILE")}
    files["CERTIFICATE_FILE"].write_bytes(over.public_bytes(Encoding.PEM))
    files["KEY_FILE"].write_text(private_pem(key))
    server = "https://127.0.0.1:1"
    assert "either PROA_TOKEN_FILE or" in said(SERVER=server)
    assert "either PROA_TOKEN_FILE or" in said(SERVER=server, **files, TOKEN_FILE=tmp_path / "t")
    assert "either PROA_TOKEN_FILE or" in said(SERVER="http://127.0.0.1:1", **files)
    assert "ROOTS_FILE cannot be read" in said(SERVER=server, **files)
    files["ROOTS_FILE"].write_text("")
    told = said(SERVER=server, **files)
    assert "has ended" in told
    assert "issue-operator" in told
    files["CERTIFICATE_FILE"].write_text("x")
    assert "is no certificate" in said(SERVER=server, **files)

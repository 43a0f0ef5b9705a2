from pathlib import Path

import pytest

from proa.core.auth.operator_secret import OperatorSecret, good_until, secret_faults
from tests.certificates import Authority


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("root"))


def test_what_can_be_served(root: Authority) -> None:
    for kind in ("EC", "RSA"):
        pair = root.issue("a.example", kind=kind)
        whole = OperatorSecret(
            chain=pair.cert.read_text(),
            key=pair.key.read_text(),
            roots=root.roots.read_text(),
            crl=root.revoke(pair).read_text(),
        )
        assert secret_faults(whole) == ()
        assert whole.parts == ("chain", "key", "roots", "crl")
        assert good_until(whole) > 0
    roots = OperatorSecret(roots=root.roots.read_text())
    assert secret_faults(roots) == ()
    assert good_until(roots) > 0


def test_what_cannot(root: Authority, tmp_path: Path) -> None:
    one, other = root.issue("a.example"), root.issue("a.example", file="other")
    chain, key = one.cert.read_text(), one.key.read_text()
    roots = root.roots.read_text()
    for secret, words in (
        (OperatorSecret(), "empty"),
        (OperatorSecret(chain=chain), "the key is missing"),
        (OperatorSecret(key=key), "the certificate is missing"),
        (OperatorSecret(chain="x", key=key), "cannot be read"),
        (OperatorSecret(chain=chain, key="x"), "the key cannot be read"),
        (OperatorSecret(chain=chain, key=other.key.read_text()), "not that of the first certificate"),
        (OperatorSecret(roots="x"), "the roots cannot be read"),
        (OperatorSecret(roots=roots, crl="x"), "revoked certificates cannot be read"),
        (OperatorSecret(chain=chain, key=key, crl="x"), "needs the roots"),
    ):
        (fault,) = secret_faults(secret)
        assert words in fault


def test_nothing_secret_is_shown(root: Authority) -> None:
    secret = OperatorSecret(chain="CHAIN", key="KEY")
    assert repr(secret) == "OperatorSecret(chain, key)"

import pytest

from proa.core.auth.ca import issue, make_intermediate, make_root, name_text, private_pem, read_ca, to_pem
from proa.core.auth.template import DAY, IssuanceError
from tests.unit.core.auth.authorities import (
    INTERMEDIATE,
    LEAF_KEY,
    NOW,
    ROOT,
    TRUST_DOMAIN,
    key,
    leaf,
    leaf_template,
)


def test_cas_read_back() -> None:
    assert read_ca(ROOT.key_pem, ROOT.pem, TRUST_DOMAIN, None).certificate == ROOT.certificate
    kept = read_ca(INTERMEDIATE.key_pem, INTERMEDIATE.pem, TRUST_DOMAIN, ROOT)
    assert kept.certificate == INTERMEDIATE.certificate
    assert kept.key.private_numbers() == INTERMEDIATE.key.private_numbers()


def test_lives() -> None:
    assert ROOT.not_after - NOW == 3650 * DAY
    assert INTERMEDIATE.not_after - NOW == 365 * DAY
    late = make_intermediate(TRUST_DOMAIN, ROOT, key(5), 9, ROOT.not_after - 10 * DAY)
    assert late.not_after == ROOT.not_after


def test_a_printed_ca_shows_no_key() -> None:
    assert "key" not in repr(ROOT).lower()
    assert repr(ROOT) == "Ca('serialNumber=1,CN=Proa root CA,O=Proa')"
    assert name_text(INTERMEDIATE.certificate.subject).endswith("CN=Proa intermediate CA,O=Proa")


@pytest.mark.parametrize(
    ("said", "key_pem", "pem", "domain", "is_root"),
    [
        ("do not belong together", private_pem(key(5)), ROOT.pem, TRUST_DOMAIN, True),
        ("not other.org", ROOT.key_pem, ROOT.pem, "other.org", True),
        ("not signed by itself", INTERMEDIATE.key_pem, INTERMEDIATE.pem, TRUST_DOMAIN, True),
        ("is no CA's", private_pem(LEAF_KEY), to_pem(leaf()), TRUST_DOMAIN, False),
        ("cannot be read", "no key", ROOT.pem, TRUST_DOMAIN, True),
        ("cannot be read", ROOT.key_pem, "no certificate", TRUST_DOMAIN, True),
    ],
)
def test_an_unusable_ca_says_why(said: str, key_pem: str, pem: str, domain: str, is_root: bool) -> None:
    with pytest.raises(IssuanceError, match=said):
        read_ca(key_pem, pem, domain, None if is_root else ROOT)


def test_an_intermediate_of_another_root_is_refused() -> None:
    other = make_root(TRUST_DOMAIN, key(55), 5, NOW)
    with pytest.raises(IssuanceError, match="not signed by this root"):
        read_ca(INTERMEDIATE.key_pem, INTERMEDIATE.pem, TRUST_DOMAIN, other)


def test_issue_signs_what_the_template_says() -> None:
    assert issue(leaf_template(9), LEAF_KEY.public_key(), INTERMEDIATE).serial_number == 9

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from proa.core.auth.inspect import check, differences
from proa.core.auth.sign import extensions_of, sign, subject_of
from proa.core.auth.spiffe import parse_spiffe_id
from proa.core.auth.template import CertificateTemplate, IssuanceError
from tests.unit.core.auth.authorities import INTERMEDIATE, LEAF_KEY, ROOT, key, leaf, leaf_template

TEMPLATE = leaf_template()
PUBLIC = LEAF_KEY.public_key()


def test_what_was_asked_has_no_difference() -> None:
    assert differences(leaf(), TEMPLATE, PUBLIC, INTERMEDIATE.certificate) == ()
    check(leaf(), TEMPLATE, PUBLIC, INTERMEDIATE.certificate)


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ("serial", {"serial": 99}),
        ("not after", {"not_after": TEMPLATE.not_after + 1}),
        ("not before", {"not_before": TEMPLATE.not_before - 1}),
        ("subject", {"common_name": "reviews"}),
        ("extension 2.5.29.17", {"dns_names": ("ratings.default.workload.cluster.local",)}),
        ("extension 2.5.29.17", {"dns_names": (*TEMPLATE.dns_names, "more.example")}),
        ("extension 2.5.29.17", {"uri": parse_spiffe_id("spiffe://cluster.local/ns/default/sa/ratings")}),
        ("extension 2.5.29.19", {"path_length": None, "is_ca": True}),
    ],
)
def test_each_field_that_differs_is_named(said: str, change: dict[str, object]) -> None:
    if change.get("is_ca"):
        change = {**change, "uri": parse_spiffe_id("spiffe://cluster.local"), "dns_names": ()}
    other = CertificateTemplate(**{**msgspec.structs.asdict(TEMPLATE), **change})
    signed = sign(other, PUBLIC, INTERMEDIATE.key, INTERMEDIATE.certificate)
    found = differences(signed, TEMPLATE, PUBLIC, INTERMEDIATE.certificate)
    assert any(each.startswith(said) for each in found), found
    with pytest.raises(IssuanceError, match="what was signed is not what was asked"):
        check(signed, TEMPLATE, PUBLIC, INTERMEDIATE.certificate)


def test_another_key_is_a_difference() -> None:
    signed = sign(TEMPLATE, key(8).public_key(), INTERMEDIATE.key, INTERMEDIATE.certificate)
    found = differences(signed, TEMPLATE, PUBLIC, INTERMEDIATE.certificate)
    assert any(each.startswith("public key") for each in found)


def test_another_signer_is_a_difference() -> None:
    signed = sign(TEMPLATE, PUBLIC, ROOT.key, ROOT.certificate)
    found = differences(signed, TEMPLATE, PUBLIC, INTERMEDIATE.certificate)
    assert any(each.startswith("issuer") for each in found)
    assert "the signature is not the signer's" in found


def test_the_signers_name_over_another_key_is_a_difference() -> None:
    signed = sign(TEMPLATE, PUBLIC, key(66), INTERMEDIATE.certificate)
    assert "the signature is not the signer's" in differences(
        signed, TEMPLATE, PUBLIC, INTERMEDIATE.certificate
    )


def built(*, more: bool = False, fewer: bool = False, hash_with: SHA256 | SHA384) -> x509.Certificate:
    """The template's certificate by other hands."""
    builder = x509.CertificateBuilder(
        issuer_name=INTERMEDIATE.certificate.subject,
        subject_name=subject_of(TEMPLATE),
        public_key=PUBLIC,
        serial_number=TEMPLATE.serial,
        not_valid_before=datetime.fromtimestamp(TEMPLATE.not_before, UTC),
        not_valid_after=datetime.fromtimestamp(TEMPLATE.not_before, UTC) + timedelta(seconds=86_460),
    )
    wanted = extensions_of(TEMPLATE, PUBLIC, INTERMEDIATE.certificate)
    for extension, is_critical in wanted[1:] if fewer else wanted:
        builder = builder.add_extension(extension, is_critical)
    if more:
        builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
    return builder.sign(INTERMEDIATE.key, hash_with)


def test_an_extension_too_much_or_too_few_is_a_difference() -> None:
    signer = INTERMEDIATE.certificate
    assert differences(built(hash_with=SHA256()), TEMPLATE, PUBLIC, signer) == ()
    (more,) = differences(built(more=True, hash_with=SHA256()), TEMPLATE, PUBLIC, signer)
    assert more.endswith("was not asked for")
    (fewer,) = differences(built(fewer=True, hash_with=SHA256()), TEMPLATE, PUBLIC, signer)
    assert fewer.endswith("is missing")


def test_another_hash_is_a_difference() -> None:
    found = differences(built(hash_with=SHA384()), TEMPLATE, PUBLIC, INTERMEDIATE.certificate)
    assert any(each.startswith("signature algorithm") for each in found)

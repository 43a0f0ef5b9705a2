import base64
import json

import pytest

from proa.core.config import Json
from proa.core.config.kinds.federated_trust_domain.validate import bundle_fault
from tests.unit.core.config.judged import judge

DER = base64.b64encode(b"\x30\x03abc").decode()
PEM = f"-----BEGIN CERTIFICATE-----\n{DER}\n-----END CERTIFICATE-----\n"
DOCUMENT = json.dumps({"keys": [{"use": "x509-svid", "kty": "EC", "x5c": [DER]}, {"use": "jwt-svid"}]})
URL = "https://partner.example/bundle"
SPIFFE: Json = {"type": "https_spiffe", "endpointSPIFFEID": "spiffe://partner.example/spire/server"}
WEB: Json = {"type": "https_web"}


def judged(**spec: Json) -> list[str]:
    """Without what is said of the namespace, in which the helper writes no object of this kind."""
    whole: dict[str, Json] = {"trustDomain": "partner.example", "namespaces": ["shop"], **spec}
    return [each for each in judge("ftd", whole) if each != "metadata.namespace bad-value"]


def test_what_is_fine() -> None:
    assert judged(trustDomainBundle=PEM) == []
    assert judged(trustDomainBundle=DOCUMENT, namespaces=["*"]) == []
    assert judged(bundleEndpointURL=URL, bundleEndpointProfile=WEB) == []
    assert judged(bundleEndpointURL=URL, bundleEndpointProfile=SPIFFE, trustDomainBundle=PEM) == []


def test_it_lies_in_the_root_namespace() -> None:
    assert "metadata.namespace bad-value" in judge(
        "ftd", {"trustDomain": "a", "namespaces": ["b"], "trustDomainBundle": PEM}
    )


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"trustDomain": "spiffe://partner"}, ["spec.trustDomain bad-value"]),
        ({"namespaces": []}, ["spec.namespaces required"]),
        (
            {"namespaces": ["Shop", "a", "a"]},
            ["spec.namespaces[0] bad-value", "spec.namespaces[2] duplicate"],
        ),
        ({"namespaces": ["*", "a"]}, ["spec.namespaces conflict"]),
        ({"trustDomainBundle": "nothing"}, ["spec.trustDomainBundle bad-value"]),
        ({"trustDomainBundle": ""}, ["spec required"]),
        ({"bundleEndpointURL": URL}, ["spec.bundleEndpointProfile required"]),
        ({"bundleEndpointProfile": WEB}, ["spec.bundleEndpointProfile conflict"]),
        (
            {"bundleEndpointURL": "http://partner.example", "bundleEndpointProfile": WEB},
            ["spec.bundleEndpointURL bad-value"],
        ),
        (
            {"bundleEndpointURL": URL, "bundleEndpointProfile": {"type": "https_spiffe"}},
            ["spec.bundleEndpointProfile.endpointSPIFFEID required"],
        ),
        (
            {"bundleEndpointURL": URL, "bundleEndpointProfile": {**SPIFFE, "endpointSPIFFEID": "x"}},  # type: ignore[dict-item]
            ["spec.bundleEndpointProfile.endpointSPIFFEID bad-value"],
        ),
        (
            {
                "bundleEndpointURL": URL,
                "bundleEndpointProfile": {**SPIFFE, "endpointSPIFFEID": "spiffe://other/x"},  # type: ignore[dict-item]
            },
            ["spec.bundleEndpointProfile.endpointSPIFFEID not-supported-yet"],
        ),
        (
            {"bundleEndpointURL": URL, "bundleEndpointProfile": {**SPIFFE, "type": "https_web"}},  # type: ignore[dict-item]
            ["spec.bundleEndpointProfile.endpointSPIFFEID conflict"],
        ),
        (
            {"bundleEndpointURL": URL, "bundleEndpointProfile": SPIFFE, "trustDomainBundle": ""},
            ["spec.trustDomainBundle required"],
        ),
    ],
)
def test_what_is_wrong(spec: dict[str, Json], found: list[str]) -> None:
    assert judged(**{"trustDomainBundle": PEM, **spec}) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PEM.replace("CERTIFICATE", "PRIVATE KEY"), "private key"),
        (PEM + PEM.replace("CERTIFICATE", "X509 CRL"), "no certificate; write PEM"),
        (PEM.replace(DER, "AAAA"), "no certificate; write PEM"),
        ("{", "not JSON"),
        ("{}", '{"keys"'),
        ('{"keys": [{"use": "jwt-svid"}]}', "x509-svid"),
        ('{"keys": [{"use": "x509-svid", "x5c": ["!"]}]}', "base64"),
        (PEM * 5000, "at most"),
    ],
)
def test_what_is_no_bundle(text: str, words: str) -> None:
    assert words in (bundle_fault(text) or "")

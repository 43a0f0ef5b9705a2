import base64

import pytest

from proa.core.config import Json
from proa.core.config.server_tls import CIPHER_SUITES, ECDH_CURVES
from tests.unit.core.config.judged import judge


def judged(protocol: Json = "HTTPS", hosts: Json = None, **tls: Json) -> list[str]:
    port: Json = {"name": "a", "protocol": protocol, "number": 443}
    server: dict[str, Json] = {"port": port, "hosts": hosts or ["*"], "tls": tls}
    return [place.removeprefix("spec.servers[0].") for place in judge("gw", {"servers": [server]})]


SIMPLE: dict[str, Json] = {"mode": "SIMPLE", "credentialName": "a"}
MUTUAL: dict[str, Json] = {"mode": "MUTUAL", "credentialName": "a"}
FILES: dict[str, Json] = {"mode": "SIMPLE", "serverCertificate": "/a", "privateKey": "/b"}


@pytest.mark.parametrize(
    "tls",
    [
        {"mode": "PASSTHROUGH"},
        {"mode": "AUTO_PASSTHROUGH"},
        {"mode": "ISTIO_MUTUAL"},
        SIMPLE,
        FILES,
        MUTUAL,
        {**MUTUAL, "mode": "OPTIONAL_MUTUAL", "insecureSkipVerify": True},
        {**FILES, "mode": "MUTUAL", "caCertificates": "/c", "caCrl": "/d"},
        {"mode": "SIMPLE", "credentialNames": ["a", "b"]},
        {"mode": "SIMPLE", "tlsCertificates": [{"serverCertificate": "/a", "privateKey": "/b"}] * 2},
        {**FILES, "mode": "MUTUAL", "caCertCredentialName": "roots"},
    ],
)
def test_good_settings(tls: dict[str, Json]) -> None:
    assert judged(**tls) == []


def test_what_ends_no_tls_has_none() -> None:
    assert judged("HTTP", httpsRedirect=True) == []
    assert judged("HTTP", **SIMPLE) == judged("TCP", **SIMPLE) == ["tls.mode conflict"]
    assert judged("HTTPS", **SIMPLE, httpsRedirect=True) == ["tls.httpsRedirect no-effect"]
    assert judged("TLS", mode="PASSTHROUGH", credentialName="a") == ["tls.credentialName no-effect"]
    assert judge(
        "gw", {"servers": [{"port": {"name": "a", "protocol": "TLS", "number": 1}, "hosts": ["*"]}]}
    ) == ["spec.servers[0] required"]


def test_certificates_are_there_once() -> None:
    assert judged(mode="SIMPLE") == ["tls required"]
    assert judged(mode="SIMPLE", serverCertificate="/a") == ["tls required"]
    assert judged(**FILES, credentialName="a") == ["tls.serverCertificate conflict"]
    assert judged(mode="SIMPLE", credentialNames=["a", "b", "c"]) == ["tls.credentialNames out-of-range"]
    assert judged(mode="ISTIO_MUTUAL", credentialName="a") == ["tls.credentialName conflict"]
    assert judged(mode="SIMPLE", tlsCertificates=[{"serverCertificate": "/a"}]) == [
        "tls.tlsCertificates[0] required"
    ]


@pytest.mark.parametrize("path", ["relative.pem", "/a~b", "/a\0b"])
def test_paths_of_files(path: str) -> None:
    assert judged(**{**FILES, "privateKey": path}) == ["tls.privateKey bad-value"]


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a b", "a" * 201])
def test_names_of_secrets(name: str) -> None:
    assert judged(mode="SIMPLE", credentialName=name) == ["tls.credentialName bad-value"]
    assert judged(mode="SIMPLE", credentialNames=["a", name]) == ["tls.credentialNames[1] bad-value"]


def test_other_providers_come_later() -> None:
    assert judged(mode="SIMPLE", credentialName="sds://x") == ["tls.credentialName not-supported-yet"]


def test_who_vouches_for_clients() -> None:
    assert judged(**{**FILES, "mode": "MUTUAL"}) == ["tls required"]
    assert judged(**SIMPLE, caCertificates="/c") == ["tls.caCertificates no-effect"]
    assert judged(**MUTUAL, caCrl="/d") == ["tls.caCrl conflict"]
    assert judged(**MUTUAL, caCertificates="/c", caCertCredentialName="a") == [
        "tls.caCertCredentialName conflict"
    ]


def test_pins_and_names_of_clients() -> None:
    spki, digest = base64.b64encode(b"x" * 32).decode(), "ab" * 32
    colons = ":".join(["AB"] * 32)
    assert judged(**MUTUAL, verifyCertificateSpki=[spki], verifyCertificateHash=[digest, colons]) == []
    assert judged(**MUTUAL, verifyCertificateHash=[digest[1:], "zz" * 32]) == [
        "tls.verifyCertificateHash[0] bad-value",
        "tls.verifyCertificateHash[1] bad-value",
    ]
    assert judged(**MUTUAL, verifyCertificateSpki=["x"]) == ["tls.verifyCertificateSpki[0] bad-value"]
    assert judged(**MUTUAL, subjectAltNames=[""]) == ["tls.subjectAltNames[0] bad-value"]
    assert judged(**SIMPLE, subjectAltNames=["a"]) == ["tls.subjectAltNames no-effect"]
    assert judged(mode="ISTIO_MUTUAL", subjectAltNames=["spiffe://a/b"]) == []
    assert judged(mode="ISTIO_MUTUAL", verifyCertificateSpki=[spki]) == ["tls.verifyCertificateSpki conflict"]


def test_versions() -> None:
    for low, high in (("TLSV1_0", "TLSV1_1"), ("TLSV1_2", "TLSV1_2"), ("TLS_AUTO", "TLSV1_3")):
        assert judged(**SIMPLE, minProtocolVersion=low, maxProtocolVersion=high) == []
    for low, high in (("TLSV1_3", "TLSV1_2"), ("TLS_AUTO", "TLSV1_1")):
        assert judged(**SIMPLE, minProtocolVersion=low, maxProtocolVersion=high) == [
            "tls.maxProtocolVersion conflict"
        ]
    assert judged(mode="ISTIO_MUTUAL", minProtocolVersion="TLSV1_2") == ["tls.minProtocolVersion no-effect"]
    assert judged(mode="PASSTHROUGH", maxProtocolVersion="TLSV1_2") == ["tls.maxProtocolVersion no-effect"]


def test_words_of_the_data_plane() -> None:
    assert judged(**SIMPLE, cipherSuites=list(CIPHER_SUITES), ecdhCurves=list(ECDH_CURVES)) == []
    assert judged(**SIMPLE, cipherSuites=["RC4", CIPHER_SUITES[0], CIPHER_SUITES[0]]) == [
        "tls.cipherSuites[0] bad-value",
        "tls.cipherSuites[2] duplicate",
    ]
    assert judged(**SIMPLE, ecdhCurves=["P-255"]) == ["tls.ecdhCurves[0] bad-value"]


def test_names_that_tls_cannot_tell() -> None:
    assert judged(hosts=["*-a.example.com"], **SIMPLE) == ["hosts[0] bad-value"]
    assert judged(hosts=["10.0.0.1"], **SIMPLE) == ["hosts[0] no-effect"]
    assert judged("HTTP", hosts=["*-a.example.com", "10.0.0.1"]) == []

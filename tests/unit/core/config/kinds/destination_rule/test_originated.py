from proa.core.config import Json
from tests.unit.core.config.judged import judge


def judged(**tls: Json) -> list[str]:
    spec: Json = {"host": "a", "trafficPolicy": {"tls": tls}}
    return [place.removeprefix("spec.trafficPolicy.tls") for place in judge("dr", spec)]


PAIR: dict[str, Json] = {"clientCertificate": "/c", "privateKey": "/k"}


def test_good_ways() -> None:
    assert judged(mode="MUTUAL", **PAIR) == []
    assert (
        judged(mode="MUTUAL", **PAIR, caCertificates="/r", caCrl="/l", subjectAltNames=["a"], sni="a") == []
    )
    assert judged(mode="MUTUAL", credentialName="s") == judged(mode="SIMPLE", credentialName="s") == []
    assert judged(mode="SIMPLE", insecureSkipVerify=True) == []
    assert judged(mode="SIMPLE", caCertificates="system") == []


def test_a_certificate_is_shown_whole_and_from_one_place() -> None:
    assert judged(mode="MUTUAL") == [" required", " required"]
    assert judged(mode="MUTUAL", clientCertificate="/c") == [" required"]
    assert judged(mode="MUTUAL", clientCertificate="c", privateKey="/k") == [".clientCertificate bad-value"]
    assert judged(mode="MUTUAL", credentialName="s", **PAIR) == [
        ".clientCertificate conflict",
        ".privateKey conflict",
    ]
    assert judged(mode="SIMPLE", clientCertificate="/c") == [".clientCertificate no-effect"]
    assert judged(mode="SIMPLE", credentialName="../s") == [".credentialName bad-value"]


def test_whom_to_trust() -> None:
    assert judged(mode="SIMPLE", caCrl="/l") == [".caCrl conflict"]
    assert judged(mode="SIMPLE", caCertificates="r") == [".caCertificates bad-value"]
    assert judged(mode="SIMPLE", insecureSkipVerify=True, caCertificates="/r") == [".caCertificates conflict"]
    assert judged(mode="SIMPLE", insecureSkipVerify=True, subjectAltNames=["a"]) == [
        ".subjectAltNames conflict"
    ]


def test_the_mesh_has_its_own() -> None:
    assert judged(mode="ISTIO_MUTUAL", credentialName="s") == [".credentialName conflict"]
    assert judged(mode="DISABLE", caCertificates="/r") == [".caCertificates no-effect"]

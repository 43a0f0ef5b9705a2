"""What the structs of Proa's own kinds ask of their fields together, as recipes."""

from typing import Final

from proa.core.config.kinds.federated_trust_domain import schema as ftd
from proa.testing.strategies.recipes import either
from proa.testing.strategies.shaped import Object, Recipe, Recipes, without

ROOT: Final = """-----BEGIN CERTIFICATE-----
MIIBPTCB5KADAgECAgEBMAoGCCqGSM49BAMCMB0xGzAZBgNVBAMMEmEgcGFydG5l
ciBvZiB0ZXN0czAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowHTEb
MBkGA1UEAwwSYSBwYXJ0bmVyIG9mIHRlc3RzMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE1GllKnTLuRsqu/VjVSlisn7F3Qs9WnBRREBGjsRT+mKsX96xRFM5p976
yVzXNV5ySBDKo00PuS1wlxe//79MQaMTMBEwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNIADBFAiEAtAZvnPkxMM5MMwJW5Su6OksxM6KjO3y8lpGBCQ/GKbEC
IGxDxIrf7IDh0F4pSeEU5xXIwDRlsM23cWlNAdYy+02C
-----END CERTIFICATE-----
"""
"""Nobody's: its key was thrown away."""


def _fit_endpoint(value: Object) -> Object:
    """An endpoint and how its server is known come together."""
    if "bundleEndpointURL" in value and "bundleEndpointProfile" in value:
        return value
    return without(value, ["bundleEndpointURL", "bundleEndpointProfile"])


FEDERATION: Final[Recipes] = {
    ftd.FederatedTrustDomain: Recipe(
        values={
            "trust_domain": either("partner.example", "p", "a_b-c.d"),
            "namespaces": either(["default"], ["shop", "default"], ["*"]),
            "trust_domain_bundle": either(ROOT, ROOT * 2),
            "bundle_endpoint_url": either("https://127.0.0.1:1/bundle"),
        },
        always=("trust_domain_bundle",),
        fit=_fit_endpoint,
    ),
    ftd.BundleEndpointProfile: Recipe(
        values={"type": either("https_web")}, fit=lambda value: without(value, ["endpointSPIFFEID"])
    ),
}

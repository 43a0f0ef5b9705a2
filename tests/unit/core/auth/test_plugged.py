from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.verification import PolicyBuilder, Store

from proa.core.auth.ca import Ca, issue, private_pem, to_pem
from proa.core.auth.plugged import PluggedFiles, Unusable, read_plugged
from proa.core.auth.template import LEAF_TTL
from tests.unit.core.auth.authorities import LEAF_KEY, NOW, TRUST_DOMAIN, key, leaf_template
from tests.unit.core.auth.plugged_cas import MIDDLE, P384_ROOT, ROOT, RSA_KEY, RSA_SIGNER, make_ca


def files(ca: Ca, **other: str) -> PluggedFiles:
    parts = {"cert": ca.pem, "key": ca.key_pem, "chain": "".join(map(to_pem, ca.issuers)), **other}
    return PluggedFiles(**parts)


def faults(given: PluggedFiles) -> tuple[str, ...]:
    found = read_plugged(given, TRUST_DOMAIN, NOW)
    assert isinstance(found, Unusable), found
    return found.faults


@pytest.mark.parametrize("ca", [RSA_SIGNER, MIDDLE, ROOT, P384_ROOT], ids=str)
def test_leafs_that_it_signs_are_good_up_to_its_root(ca: Ca) -> None:
    read = read_plugged(files(ca), TRUST_DOMAIN, NOW)
    assert isinstance(read, Ca)
    assert (read.certificate, read.issuers) == (ca.certificate, ca.issuers)
    leaf = issue(leaf_template(signer=read), LEAF_KEY.public_key(), read)
    shown = x509.load_pem_x509_certificates((to_pem(leaf) + read.presented_pem).encode())
    assert read.root not in shown
    builder = PolicyBuilder().store(Store([read.root])).time(datetime.fromtimestamp(NOW, UTC))
    builder.build_client_verifier().verify(leaf, shown[1:])


def test_the_order_and_repetitions_of_the_chain_do_not_matter() -> None:
    mixed = ROOT.pem + RSA_SIGNER.pem + MIDDLE.pem + P384_ROOT.pem
    read = read_plugged(files(RSA_SIGNER, chain=mixed), TRUST_DOMAIN, NOW)
    assert isinstance(read, Ca)
    assert read.issuers == (MIDDLE.certificate, ROOT.certificate)


def test_leafs_end_with_their_signer_at_the_latest() -> None:
    short = make_ca("short", days=0.5)
    assert short.validity(NOW, LEAF_TTL).not_after < NOW + LEAF_TTL


def constrained(permitted: list[x509.GeneralName] | None, excluded: list[x509.GeneralName] | None) -> Ca:
    return make_ca("narrow", constraints=x509.NameConstraints(permitted, excluded))


def test_constraints_that_permit_the_mesh_are_fine() -> None:
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(TRUST_DOMAIN),
        x509.DNSName("istio-system.svc"),
        x509.DNSName(TRUST_DOMAIN),
    ]
    assert isinstance(read_plugged(files(constrained(names, None)), TRUST_DOMAIN, NOW), Ca)


LOCKED = RSA_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
WEAK = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (files(ROOT, cert="nonsense"), "--ca-cert: no certificates in PEM form"),
        (files(ROOT, key="nonsense"), "--ca-key: no private key in PEM form"),
        (files(RSA_SIGNER, key=LOCKED), "--ca-key: the key has a passphrase"),
        (files(ROOT, key=private_pem(key(5))), "--ca-key: the key is not that of --ca-cert"),
        (files(make_ca("weak", ca_key=WEAK)), "--ca-key: the key is neither P-256"),
        (
            files(make_ca("odd", ca_key=ec.derive_private_key(9, ec.SECP521R1()))),
            "--ca-key: the key is neither P-256",
        ),
        (files(RSA_SIGNER, chain=""), "--ca-chain: it does not lead from CN=their signer to a root"),
        (files(RSA_SIGNER, chain=MIDDLE.pem), "nothing in it signed CN=their middle"),
        (files(RSA_SIGNER, chain="nonsense"), "--ca-chain: no certificates in PEM form"),
        (files(make_ca("leaf", is_ca=False)), "--ca-cert: CN=leaf is no CA's certificate"),
        (files(make_ca("mute", may_sign=False)), "--ca-cert: CN=mute may not sign certificates"),
        (files(make_ca("old", days=0.01)), "--ca-cert: CN=old expired on 2025-06-15"),
        (files(make_ca("young", now=NOW + 9000)), "--ca-cert: CN=young is not valid before"),
        (
            files(make_ca("below", make_ca("flat", path_length=0), number=7)),
            "--ca-chain: CN=flat allows 0 CAs below it, the chain has 1",
        ),
        (files(make_ca("foreign", uri="spiffe://other.org")), "CN=foreign is of spiffe://other.org"),
        (
            files(constrained([x509.UniformResourceIdentifier("other.org")], None)),
            "forbid SPIFFE ids of cluster.local",
        ),
        (files(constrained([x509.DNSName("example.com")], None)), "forbid the control plane's name"),
        (files(constrained(None, [x509.DNSName("workload.cluster.local")])), "forbid workloads' names"),
    ],
)
def test_each_mistake_is_named_with_its_flag(given: PluggedFiles, said: str) -> None:
    assert any(said in each for each in faults(given)), faults(given)
    assert all(each.startswith("--ca-") for each in faults(given))


def test_all_mistakes_are_said_at_once() -> None:
    bad = make_ca("bad", is_ca=False, may_sign=False, days=0.01)
    assert len(faults(files(bad, key=private_pem(key(5))))) == 4


def test_what_is_printed_shows_no_key() -> None:
    assert "PRIVATE" not in repr(files(ROOT))

import asyncio
import itertools
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.authority import Authority, Issued, Joined, Minted, Refused
from proa.core.auth.csr import build_csr
from proa.core.auth.grants import BROAD, Grant, Placement
from proa.core.auth.roots import root_sha256
from proa.core.auth.spiffe import SpiffeId, control_plane_id, node_id, parse_spiffe_id, workload_id
from proa.core.auth.template import DAY, LEAF_TTL
from proa.core.auth.tokens import decode_token, encode_token
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import RegisteredPort, Registration
from proa.ports.authority_store import AuthorityStore
from tests.unit.core.auth.authorities import NOW, TRUST_DOMAIN, key

REVIEWS = Registration(
    id=WorkloadId("default", "reviews-v1"),
    node="a",
    account="bookinfo-reviews",
    address="10.0.0.5",
    ports=(
        RegisteredPort(
            service="reviews",
            service_port=9080,
            name="http",
            protocol="http",
            app_port=9080,
            sidecar_port=41000,
        ),
    ),
)
REVIEWS_ID = workload_id(TRUST_DOMAIN, "default", "bookinfo-reviews")
RIGHT = Grant(
    node="a", placements=(Placement(namespace="default", service="reviews", account="bookinfo-reviews"),)
)


class Mesh:
    """An authority with its store, a clock that stands until it is set, and entropy that counts."""

    def __init__(self, store: AuthorityStore, first_key: int) -> None:
        self.store = store
        self.keys = MemoryKeyStore()
        self.now = NOW
        self._drawn = itertools.count(1)
        self._keys_made = itertools.count(first_key)
        self.denied: list[str] = []

    async def open(self, trust_domain: str = TRUST_DOMAIN) -> Authority:
        return await Authority.open(
            trust_domain=trust_domain,
            keys=self.keys,
            store=self.store,
            clock=lambda: self.now,
            entropy=lambda size: next(self._drawn).to_bytes(size - 1, "big") + b"\x80",
            new_key=lambda: key(next(self._keys_made)),
            denied=lambda reason, asker: self.denied.append(reason),
        )


@asynccontextmanager
async def mesh_in(directory: Path, first_key: int = 1000) -> AsyncIterator[Mesh]:
    async with open_stores(directory / "store.db") as stores:
        yield Mesh(stores.authority, first_key)


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Mesh, Authority], Awaitable[None]]], None]:
    def run(body: Callable[[Mesh, Authority], Awaitable[None]]) -> None:
        async def opened() -> None:
            async with mesh_in(tmp_path) as mesh:
                await body(mesh, await mesh.open())

        asyncio.run(opened())

    return run


Run = Callable[[Callable[[Mesh, Authority], Awaitable[None]]], None]


async def ask(authority: Authority, node: str = "a", claim: Registration = REVIEWS) -> Issued | Refused:
    identity = workload_id(TRUST_DOMAIN, claim.id.namespace, claim.account)
    return await authority.issue_workload(csr_pem=build_csr(key(), identity), claim=claim, node=node)


async def mint(authority: Authority, ttl: float = 60) -> str:
    minted = await authority.mint_token(
        node="a", ttl=ttl, placements=RIGHT.placements, join="10.0.0.1:15013", servers=("10.0.0.1:15012",)
    )
    assert isinstance(minted, Minted)
    return minted.text


def verified(chain_pem: str, root_pem: str, at: float) -> list[x509.Certificate]:
    leaf, *others = x509.load_pem_x509_certificates(chain_pem.encode())
    (root,) = x509.load_pem_x509_certificates(root_pem.encode())
    builder = PolicyBuilder().store(Store([root])).time(datetime.fromtimestamp(at, UTC))
    builder.build_client_verifier().verify(leaf, others)
    return [leaf, *others]


def test_a_workload_gets_what_its_node_may_place(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        await mesh.store.put_grant(RIGHT)
        issued = await ask(authority)
        assert isinstance(issued, Issued)
        assert (issued.identity, issued.not_after) == (REVIEWS_ID, NOW + LEAF_TTL)
        leaf, intermediate = verified(issued.chain_pem, authority.root_pem, NOW)
        assert leaf.public_key() == key().public_key()
        assert leaf.issuer == intermediate.subject
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert list(names) == [
            x509.UniformResourceIdentifier(str(REVIEWS_ID)),
            x509.DNSName("reviews-v1.default.workload.cluster.local"),
        ]

    run(body)


def test_each_certificate_is_written_down(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        await mesh.store.put_grant(RIGHT)
        mesh.now = NOW + 5
        first, second = await ask(authority), await ask(authority)
        assert isinstance(first, Issued)
        assert isinstance(second, Issued)
        assert first.serial != second.serial
        audit = await mesh.store.issuances()
        assert [each.serial for each in audit] == [second.serial, first.serial]
        assert audit[0].asked_by == "spiffe://cluster.local/proa/node/a"
        assert audit[0].identity == str(REVIEWS_ID)
        assert audit[0].dns_names == ("reviews-v1.default.workload.cluster.local",)
        assert (audit[0].not_after, audit[0].time) == (NOW + 5 + LEAF_TTL, NOW + 5)
        (leaf, _) = x509.load_pem_x509_certificates(second.chain_pem.encode())
        assert f"{leaf.serial_number:x}" == second.serial

    run(body)


def test_a_node_cannot_ask_for_what_another_may_place(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        await mesh.store.put_grant(RIGHT)
        await mesh.store.put_grant(Grant(node="b", placements=(Placement(namespace="default", service="x"),)))
        assert await ask(authority, node="b") == Refused(reason="node b may not speak for node a")
        own = msgspec.structs.replace(REVIEWS, node="b")
        assert await ask(authority, "b", own) == Refused(
            reason="node b may not place service reviews in namespace default"
        )
        assert await ask(authority, "c", msgspec.structs.replace(REVIEWS, node="c")) == Refused(
            reason="node c has no grant: it never joined, or was removed", code="no grant"
        )
        assert await mesh.store.issuances() == ()

    run(body)


def test_a_right_taken_away_ends_issuing_at_once(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        await mesh.store.put_grant(RIGHT)
        assert isinstance(await ask(authority), Issued)
        await mesh.store.remove_grant("a")
        assert isinstance(await ask(authority), Refused)
        node_csr = build_csr(key(), node_id(TRUST_DOMAIN, "a"))
        assert isinstance(await authority.issue_node(csr_pem=node_csr, node="a"), Refused)

    run(body)


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (
            msgspec.structs.replace(REVIEWS, account="proa", id=WorkloadId("istio-system", "x")),
            "control plane",
        ),
        (msgspec.structs.replace(REVIEWS, account="../../proa/node/b"), "not a DNS name"),
        (msgspec.structs.replace(REVIEWS, id=WorkloadId("default", ".".join(["a" * 60] * 4))), "no DNS name"),
    ],
)
def test_no_grant_is_broad_enough_for_another_kind_of_identity(
    run: Run, claim: Registration, said: str
) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        await mesh.store.put_grant(Grant(node="a", placements=BROAD))
        csr = build_csr(key(), REVIEWS_ID)
        refused = await authority.issue_workload(csr_pem=csr, claim=claim, node="a")
        assert isinstance(refused, Refused)
        assert said in refused.reason

    run(body)


def test_a_csr_for_somebody_else_is_refused(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        await mesh.store.put_grant(RIGHT)
        other = parse_spiffe_id("spiffe://cluster.local/ns/default/sa/bookinfo-ratings")
        refused = await authority.issue_workload(csr_pem=build_csr(key(), other), claim=REVIEWS, node="a")
        assert refused == Refused(
            reason=f"the CSR asks for {other}, this asker gets {REVIEWS_ID}", code="csr identity"
        )
        assert isinstance(await authority.issue_workload(csr_pem="", claim=REVIEWS, node="a"), Refused)

    run(body)


def test_a_node_joins_with_a_token_once(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        token = await mint(authority)
        assert decode_token(token).root_sha256 == root_sha256(authority.root_pem)
        csr = build_csr(key(), node_id(TRUST_DOMAIN, "a"))
        joined = await authority.redeem(token=token, csr_pem=csr)
        assert isinstance(joined, Joined)
        assert (joined.node, joined.issued.identity) == ("a", node_id(TRUST_DOMAIN, "a"))
        verified(joined.issued.chain_pem, authority.root_pem, NOW)
        assert await mesh.store.grant_of("a") == RIGHT
        (written,) = await mesh.store.issuances()
        assert written.asked_by == "token:" + decode_token(token).id
        again = await authority.redeem(token=token, csr_pem=csr)
        assert isinstance(again, Refused)
        assert "has been used" in again.reason
        assert isinstance(await ask(authority), Issued)
        assert isinstance(await authority.issue_node(csr_pem=csr, node="a"), Issued)

    run(body)


def test_each_refusal_has_a_name_and_is_counted(run: Run) -> None:
    def asking(*extensions: x509.ExtensionType) -> str:
        builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
        for each in extensions:
            builder = builder.add_extension(each, critical=False)
        return builder.sign(key(), SHA256()).public_bytes(Encoding.PEM).decode()

    own = x509.UniformResourceIdentifier(str(REVIEWS_ID))
    further = x509.SubjectAlternativeName([own, x509.DNSName("bank.example")])
    other = parse_spiffe_id("spiffe://cluster.local/ns/default/sa/bookinfo-ratings")

    async def body(mesh: Mesh, authority: Authority) -> None:
        await mesh.store.put_grant(RIGHT)
        for csr, code in (
            (asking(further), "csr names"),
            (asking(x509.BasicConstraints(ca=True, path_length=None)), "csr ca"),
            (build_csr(key(), other), "csr identity"),
            ("", "csr unreadable"),
        ):
            refused = await authority.issue_workload(csr_pem=csr, claim=REVIEWS, node="a")
            assert isinstance(refused, Refused)
            assert (refused.code, mesh.denied[-1]) == (code, code)
        token = await mint(authority)
        csr = build_csr(key(), node_id(TRUST_DOMAIN, "a"))
        assert isinstance(await authority.redeem(token=token, csr_pem=csr), Joined)
        again = await authority.redeem(token=token, csr_pem=csr)
        assert isinstance(again, Refused)
        assert (again.code, mesh.denied[-1]) == ("token used", "token used")
        assert len(mesh.denied) == 5
        assert [event.kind for event in await mesh.store.events()] == ["refused"] * 5

    run(body)


def test_only_a_hash_of_the_secret_is_kept(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        token = decode_token(await mint(authority))
        (record,) = await mesh.store.tokens()
        assert token.secret not in repr(record)
        assert token.secret not in record.secret_sha256

    run(body)


def test_a_mistake_does_not_cost_the_token(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        token = await mint(authority)
        wrong = build_csr(key(), node_id(TRUST_DOMAIN, "b"))
        assert isinstance(await authority.redeem(token=token, csr_pem=wrong), Refused)
        assert isinstance(await authority.redeem(token=token, csr_pem="no CSR"), Refused)
        right = build_csr(key(), node_id(TRUST_DOMAIN, "a"))
        assert isinstance(await authority.redeem(token=token, csr_pem=right), Joined)

    run(body)


def test_tokens_that_do_not_open_the_door(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        token = decode_token(await mint(authority))
        csr = build_csr(key(), node_id(TRUST_DOMAIN, "a"))
        for change, said in (
            ({"secret": "00"}, "unknown join token"),
            ({"id": "00"}, "unknown join token"),
            ({"id": "00", "root_sha256": "00"}, "for another mesh"),
        ):
            forged = encode_token(msgspec.structs.replace(token, **change))
            refused = await authority.redeem(token=forged, csr_pem=csr)
            assert isinstance(refused, Refused)
            assert said in refused.reason
        renamed = encode_token(msgspec.structs.replace(token, node="b"))
        other_csr = build_csr(key(), node_id(TRUST_DOMAIN, "b"))
        assert await authority.redeem(token=renamed, csr_pem=other_csr) == Refused(
            reason="unknown join token", code="token unknown"
        )
        assert isinstance(await authority.redeem(token="proa1.x", csr_pem=csr), Refused)
        mesh.now = NOW + 60
        late = await authority.redeem(token=encode_token(token), csr_pem=csr)
        assert isinstance(late, Refused)
        assert "has expired" in late.reason
        assert await mesh.store.grants() == ()

    run(body)


def test_tokens_that_are_not_minted(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        for node, ttl, uses in (("A/b", 60.0, 1), ("a", 0.0, 1), ("a", 60.0, 0)):
            minted = await authority.mint_token(
                node=node, ttl=ttl, placements=BROAD, join="10.0.0.1:15013", uses=uses
            )
            assert isinstance(minted, Refused)
        assert await mesh.store.tokens() == ()

    run(body)


def test_the_control_plane_is_known_by_name_and_id(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        csr = build_csr(key(), control_plane_id(TRUST_DOMAIN))
        issued = await authority.issue_control_plane(csr_pem=csr)
        assert isinstance(issued, Issued)
        assert issued.identity == SpiffeId(TRUST_DOMAIN, "/ns/istio-system/sa/proa")
        leaf, intermediate = x509.load_pem_x509_certificates(issued.chain_pem.encode())
        (root,) = x509.load_pem_x509_certificates(authority.root_pem.encode())
        builder = PolicyBuilder().store(Store([root])).time(datetime.fromtimestamp(NOW, UTC))
        verifier = builder.build_server_verifier(x509.DNSName("proa.istio-system.svc"))
        assert verifier.verify(leaf, [intermediate])[-1] == root

    run(body)


def test_the_intermediate_changes_at_half_life_and_peers_notice_nothing(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        await mesh.store.put_grant(RIGHT)
        before = await ask(authority)
        expiry = authority.expiries["intermediate"]
        mesh.now = NOW + 183 * DAY
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(ask(authority)) for _ in range(4)]
        chains = set()
        for each in asked:
            after = each.result()
            assert isinstance(after, Issued)
            chains.add(verified(after.chain_pem, authority.root_pem, mesh.now)[1])
        assert len(chains) == 1
        assert isinstance(before, Issued)
        assert chains != {x509.load_pem_x509_certificates(before.chain_pem.encode())[1]}
        assert authority.expiries["intermediate"] > expiry

    run(body)


def test_a_restart_keeps_the_root_and_the_bundle_names_its_domain(run: Run) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        again = await mesh.open()
        assert again.bundles == authority.bundles
        assert dict(authority.bundles) == {TRUST_DOMAIN: authority.root_pem}
        assert set(authority.expiries) == {"root", "intermediate"}

    run(body)


def test_another_meshs_peers_do_not_accept_ours(tmp_path: Path) -> None:
    async def body() -> None:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
        async with mesh_in(tmp_path / "one") as one, mesh_in(tmp_path / "two", 2000) as two:
            ours = await one.open()
            theirs = await two.open("other.org")
            await one.store.put_grant(RIGHT)
            issued = await ask(ours)
            assert isinstance(issued, Issued)
            with pytest.raises(VerificationError):
                verified(issued.chain_pem, theirs.root_pem, NOW)

    asyncio.run(body())


def test_openssl_accepts_the_chain(run: Run, tmp_path: Path) -> None:
    async def body(mesh: Mesh, authority: Authority) -> None:
        await mesh.store.put_grant(RIGHT)
        issued = await ask(authority)
        assert isinstance(issued, Issued)
        (tmp_path / "chain.pem").write_text(issued.chain_pem)
        (tmp_path / "root.pem").write_text(authority.root_pem)

    run(body)
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW)), "-CAfile", "root.pem"]
    try:
        done = subprocess.run(
            [*command, "-untrusted", "chain.pem", "chain.pem"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("needs the command openssl")
    assert done.returncode == 0, done.stderr

"""The admin API from another host by an operator's certificate: a real authority's, over real TLS; and every
certificate that is not one, each refused for a reason that is told or counted by name."""

import asyncio
import contextlib
import hashlib
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.authority import Authority, Issued, Refused
from proa.control_plane.own_certificate import OwnCertificate
from proa.control_plane.revocations import Revocations
from proa.core.auth.ca import Ca, issue, make_intermediate, make_root, private_pem, to_pem
from proa.core.auth.csr import build_csr
from proa.core.auth.denial import Denial
from proa.core.auth.operators import Operator, Role, operator_id
from proa.core.auth.spiffe import SpiffeId, node_id, workload_id
from proa.core.auth.template import CertificateTemplate
from proa.ports.authority_store import AuthorityStore
from proa.servers.admin.app import build_admin_app
from proa.servers.admin.client import AdminClient, Remote, Unreachable
from proa.servers.admin.client_tls import ClientTls
from proa.servers.admin.operations import ApplyRequest, DeleteRequest, OperationFailed, OperatorRequest
from proa.servers.admin.roles import Door, Holder, Roles, with_roles
from proa.servers.asgi import bind_tcp, serving
from proa.servers.grpc_edge import Peer
from proa.testing.admin_operations import FixedOperations

TD = "cluster.local"
KEY = ec.generate_private_key(ec.SECP256R1())
TOKEN = "t" * 40


class Port:
    """The remote admin port with what stands behind it. `at` is what the door's clock is ahead of ours."""

    def __init__(self, folder: Path, authority: Authority, store: AuthorityStore) -> None:
        self.folder = folder
        self.authority = authority
        self.store = store
        self.operations = FixedOperations()
        self.denied: Counter[Denial] = Counter()
        self.at = 0.0
        self.number = 0

    def client(self, chain_pem: str = "", *, token: str = "") -> AdminClient:
        """A new one for each certificate, as each command is."""
        stem = self.folder / secrets.token_hex(4)
        roots, certificate, key = (stem.with_suffix(end) for end in (".roots", ".pem", ".key"))
        roots.write_text(self.authority.roots_pem)
        remote = Remote(host="127.0.0.1", port=self.number, roots=roots, token=token)
        if chain_pem:
            certificate.write_text(chain_pem)
            key.write_text(private_pem(KEY))
            remote = msgspec.structs.replace(remote, certificate=certificate, key=key)
        return AdminClient(remote)

    async def operator(self, name: str, role: Role) -> Issued:
        csr = build_csr(KEY, operator_id(TD, Operator(name, role)))
        issued = await self.authority.issue_operator(csr_pem=csr, name=name, role=role, asked_by="root")
        assert isinstance(issued, Issued)
        return issued

    def signed(
        self,
        identity: SpiffeId,
        signer: Ca | None = None,
        begins: float = -60,
        ends: float = 600,
        serial: int = 77,
    ) -> str:
        """The chain of whatever certificate, by the mesh's own CA or `signer`."""
        ca, now = signer or self.authority.keyring.signer_now, time.time()
        template = CertificateTemplate(
            uri=identity, serial=serial, not_before=int(now + begins), not_after=int(now + ends)
        )
        return to_pem(issue(template, KEY.public_key(), ca)) + ca.presented_pem


@contextlib.asynccontextmanager
async def port(folder: Path) -> AsyncIterator[Port]:
    async with contextlib.AsyncExitStack() as stack:
        stores = await stack.enter_async_context(open_stores(folder / "store.db"))
        revocations = Revocations(stores.authority, TD, time.time)
        authority = await Authority.open(
            trust_domain=TD,
            keys=MemoryKeyStore(),
            store=stores.authority,
            clock=time.time,
            entropy=secrets.token_bytes,
            revocations=revocations,
        )
        own = await OwnCertificate.open(authority)
        opened = Port(folder, authority, stores.authority)

        def judge(peer: Peer) -> str:
            return revocations.refusal(serial=peer.serial, identity=str(peer.identity), names=peer.names)

        def denied(code: Denial, _who: str) -> None:
            opened.denied[code] += 1

        sha256 = hashlib.sha256(TOKEN.encode()).hexdigest()
        door = Door(
            roles=Roles(tokens=(Holder(name="ci", sha256=sha256, role="admin"),)),
            trust_domain=TD,
            judge=judge,
            clock=lambda: time.time() + opened.at,
            issued_to=authority.issued_to,
        )
        app = with_roles(build_admin_app(opened.operations), door, denied)
        bound = bind_tcp("127.0.0.1", 0)
        opened.number = bound.getsockname()[1]
        await stack.enter_async_context(serving(app, [bound], ClientTls(own.admin, denied)))
        yield opened


Body = Callable[[Port], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Body], None]:
    def run(body: Body) -> None:
        async def opened() -> None:
            async with asyncio.timeout(60), port(tmp_path) as made:
                await body(made)

        asyncio.run(opened())

    return run


async def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(OperationFailed) as caught:
        await asyncio.to_thread(call)
    return str(caught.value)


def test_an_admin_changes_under_his_own_name(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        ann = await port.operator("ann", "admin")
        client = port.client(ann.chain_pem)
        assert (await asyncio.to_thread(client.status)).version
        await asyncio.to_thread(client.apply, ApplyRequest(files=(), author="somebody else"))
        await asyncio.to_thread(port.client(token=TOKEN).apply, ApplyRequest(files=(), author="ann"))
        authors = [each.author for each in port.operations.asked if isinstance(each, ApplyRequest)]
        assert authors == ["ann", "ci"]
        (kept,) = [each for each in await port.store.issuances() if each.serial == ann.serial]
        assert (kept.asked_by, kept.identity) == ("operator:root", f"spiffe://{TD}/proa/operator/admin/ann")
        assert not port.denied

    run(body)


def test_a_viewer_looks(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        client = port.client((await port.operator("bob", "viewer")).chain_pem)
        assert (await asyncio.to_thread(client.status)).version
        told = await refusal(lambda: client.delete(DeleteRequest(refs=())))
        assert "bob is a viewer" in told
        assert port.denied == {"role": 1}
        assert not port.operations.asked

    run(body)


def test_certificates_of_others_are_refused_by_name(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        for identity, code, said in (
            (workload_id(TD, "shop", "reviews"), "wrong identity", "is a workload's certificate"),
            (node_id(TD, "db-1"), "wrong identity", "is a node's certificate"),
            (SpiffeId(TD, "/proa/operator/king/ann"), "wrong identity", "is nobody's certificate"),
            (
                operator_id("other.example", Operator("ann", "admin")),
                "wrong trust domain",
                "is of another mesh",
            ),
        ):
            port.denied.clear()
            assert said in await refusal(port.client(port.signed(identity)).status)
            assert port.denied == {code: 1}
        port.denied.clear()
        assert "a token of the operator's is needed, or an operator's certificate" in await refusal(
            port.client().status
        )
        assert port.denied == {"role": 1}

    run(body)


def test_what_others_sign_under_the_meshs_root_makes_no_operator(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        ann = await port.operator("ann", "viewer")
        forged = port.signed(operator_id(TD, Operator("ann", "admin")))
        assert "was not signed here" in await refusal(port.client(forged).status)
        # Nor does a serial that was signed, for somebody who is less.
        serial = int(ann.serial, 16)
        forged = port.signed(operator_id(TD, Operator("ann", "admin")), serial=serial)
        assert "was not signed here" in await refusal(port.client(forged).status)
        assert port.denied == {"certificate untrusted": 2}

    run(body)


def test_certificates_that_end_the_handshake_are_counted_by_name(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        ann = operator_id(TD, Operator("ann", "admin"))
        root = make_root(TD, ec.generate_private_key(ec.SECP256R1()), 5, time.time())
        stranger = make_intermediate(TD, root, ec.generate_private_key(ec.SECP256R1()), 6, time.time())
        for code, chain in (
            ("certificate expired", port.signed(ann, begins=-600, ends=-300)),
            ("certificate not yet valid", port.signed(ann, begins=300)),
            ("certificate untrusted", port.signed(ann, stranger)),
        ):
            port.denied.clear()
            with pytest.raises(Unreachable):
                await asyncio.to_thread(port.client(chain).status)
            assert port.denied == {code: 1}

    run(body)


def test_a_certificate_ends_on_an_open_connection_too(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        client = port.client((await port.operator("ann", "admin")).chain_pem)
        port.at = 9 * 3600.0
        assert "the certificate has ended" in await refusal(client.status)
        assert port.denied == {"certificate expired": 1}

    run(body)


def test_what_is_revoked_is_refused(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        ann, bob = await port.operator("ann", "admin"), await port.operator("bob", "viewer")
        revocations = port.authority.revocations
        await revocations.revoke(ann.serial, reason="", author="t")
        await revocations.revoke(str(bob.identity), reason="", author="t")
        for each in (ann, bob):
            assert "is revoked" in await refusal(port.client(each.chain_pem).status)
        assert port.denied == {"revoked": 2}
        again = await port.authority.issue_operator(
            csr_pem=build_csr(KEY, bob.identity), name="bob", role="viewer", asked_by="root"
        )
        assert isinstance(again, Refused)
        assert again.code == "revoked"

    run(body)


def test_a_certificate_gets_nobody_another_one(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        client = port.client((await port.operator("ann", "admin")).chain_pem)
        request = OperatorRequest(name="eve", role="admin", csr_pem="")
        assert "gets nobody another one" in await refusal(lambda: client.issue_operator(request))
        assert not port.operations.asked
        issued = await asyncio.to_thread(port.client(token=TOKEN).issue_operator, request)
        assert issued.chain_pem
        assert port.operations.asked == [msgspec.structs.replace(request, author="ci")]

    run(body)


def test_a_bad_token_is_not_made_good_by_a_certificate(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        chain = (await port.operator("ann", "admin")).chain_pem
        assert "a token of the operator's is needed" in await refusal(
            port.client(chain, token="x" * 40).status
        )

    run(body)


def test_who_gets_none(run: Callable[[Body], None]) -> None:
    async def body(port: Port) -> None:
        csr = build_csr(KEY, operator_id(TD, Operator("ann", "viewer")))
        for name, role, ttl_s, code in (
            ("ann", "admin", 0, "csr identity"),
            ("a/b", "viewer", 0, "malformed name"),
            ("ann", "viewer", 25 * 3600, "not granted"),
            ("ann", "viewer", -5, "not granted"),
        ):
            chosen: Role = "admin" if role == "admin" else "viewer"
            refused = await port.authority.issue_operator(
                csr_pem=csr, name=name, role=chosen, asked_by="root", ttl_s=ttl_s
            )
            assert isinstance(refused, Refused)
            assert refused.code == code

    run(body)

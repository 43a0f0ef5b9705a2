import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.authority import Authority, Issued
from proa.control_plane.plugged_files import PluggedPaths, PluggedSource
from proa.control_plane.rotation import Report, Rotation, RotationRefused
from proa.core.auth.ca import Ca, to_pem
from proa.core.auth.csr import build_csr
from proa.core.auth.grants import BROAD, Grant
from proa.core.auth.operators import Operator, operator_id
from proa.core.auth.root_rotation import Activate, Pace, Retire, Wait
from proa.core.auth.roots import root_sha256, signing_root
from proa.core.auth.spiffe import node_id
from proa.core.auth.template import DAY
from proa.ports.authority_store import AuthorityStore
from tests.unit.control_plane.authority_parts import Parts
from tests.unit.core.auth.authorities import NOW, TRUST_DOMAIN, key
from tests.unit.core.auth.plugged_cas import MIDDLE, P384_ROOT, ROOT, RSA_SIGNER

PACE = Pace(hold_s=10, skew_s=2)
TTL = 100


class World:
    """A control plane's CA, and node `a`, which says what a test lets it say."""

    def __init__(self, parts: Parts, store: AuthorityStore) -> None:
        self.parts = parts
        self.store = store
        self.reports: dict[str, Report] = {}
        self.own: frozenset[str] = frozenset()
        self.leads = True

    async def open(self, plugged: PluggedSource | None = None, brought: Ca | None = None) -> Rotation:
        async def reports() -> dict[str, Report]:
            return self.reports

        parts = self.parts
        authority = await Authority.open(
            trust_domain=TRUST_DOMAIN,
            keys=parts.keys,
            store=self.store,
            clock=parts.clock,
            entropy=parts.entropy,
            leaf_ttl=TTL,
            is_leader=lambda: self.leads,
            plugged=brought,
        )
        self.authority = authority
        return Rotation(
            authority=authority,
            store=self.store,
            reports=reports,
            own=lambda: self.own,
            clock=parts.clock,
            pace=PACE,
            is_leader=lambda: self.leads,
            plugged=plugged,
        )

    async def node_gets_a_certificate(self) -> Issued:
        await self.store.put_grant(Grant(node="a", placements=BROAD))
        csr = build_csr(key(), node_id(TRUST_DOMAIN, "a"))
        issued = await self.authority.issue_node(csr_pem=csr, node="a")
        assert isinstance(issued, Issued)
        return issued

    def node_says(self, issued: Issued) -> None:
        """It trusts what there is, and uses what it got."""
        roots = self.authority.roots_pem
        trusts = frozenset(root.digest for root in self.authority.keyring.roots)
        self.reports["a"] = Report(trusts=trusts, uses=frozenset({signing_root(issued.chain_pem, roots)}))

    async def kinds(self) -> list[str]:
        return [event.kind for event in reversed(await self.store.events())]


Body = Callable[[World], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Body], None]:
    def run(body: Body) -> None:
        async def opened() -> None:
            async with open_stores(tmp_path / "store.db") as stores:
                await body(World(Parts(MemoryKeyStore()), stores.authority))

        asyncio.run(opened())

    return run


def test_a_root_comes_and_goes_with_what_the_nodes_say(run: Callable[[Body], None]) -> None:
    async def body(world: World) -> None:
        rotation = await world.open()
        first = world.authority.signing_root
        old = await world.node_gets_a_certificate()
        assert await rotation.look() is None
        prepared = await rotation.rotate_root("me")
        assert await rotation.rotate_root("somebody else") == prepared
        world.parts.now += 10
        assert isinstance(await rotation.look(), Wait)
        assert rotation.waiting.value[0].startswith("node a has not said that all of it trusts the new root")
        world.node_says(old)
        rotation = await world.open()  # a restart, or another control plane
        assert isinstance(await rotation.look(), Activate)
        assert world.authority.signing_root == prepared.digest
        with pytest.raises(RotationRefused, match="is not over"):
            await rotation.rotate_root("me")
        world.parts.now += 10
        world.own = frozenset({first})
        new = await world.node_gets_a_certificate()
        assert isinstance(await rotation.look(), Wait)
        world.node_says(new)
        assert isinstance(await rotation.look(), Wait)
        world.own = frozenset({prepared.digest})
        assert isinstance(await rotation.look(), Retire)
        assert rotation.waiting.value == ()
        assert [root.digest for root in world.authority.keyring.roots] == [prepared.digest]
        assert await world.kinds() == ["root-prepared", "root-activated", "root-retired"]
        assert (await world.store.events())[-1].asked_by == "me"

    run(body)


def test_a_node_that_is_away_holds_it_back_as_long_as_its_certificate_lasts(
    run: Callable[[Body], None],
) -> None:
    async def body(world: World) -> None:
        rotation = await world.open()
        await world.node_gets_a_certificate()
        await rotation.rotate_root("me")
        world.parts.now = NOW + TTL + 1.5
        assert isinstance(await rotation.look(), Wait)
        world.parts.now = NOW + TTL + 2
        assert isinstance(await rotation.look(), Activate)

    run(body)


def test_an_operator_holds_nothing_back(run: Callable[[Body], None]) -> None:
    async def body(world: World) -> None:
        rotation = await world.open()
        csr = build_csr(key(), operator_id(TRUST_DOMAIN, Operator("ann", "admin")))
        issued = await world.authority.issue_operator(
            csr_pem=csr, name="ann", role="admin", asked_by="root", ttl_s=3600
        )
        assert isinstance(issued, Issued)
        await rotation.rotate_root("me")
        world.parts.now += 10
        assert isinstance(await rotation.look(), Activate)

    run(body)


def test_who_does_not_lead_only_follows(run: Callable[[Body], None]) -> None:
    async def body(world: World) -> None:
        leader = await world.open()
        leading = world.authority
        follower = await world.open()
        prepared = await leader.rotate_root("me")
        world.leads = False
        world.parts.now += 10
        assert await follower.look() is None
        assert [root.digest for root in world.authority.keyring.roots][-1] == prepared.digest
        assert world.authority.roots_pem == leading.roots_pem
        for command in (follower.rotate_root, follower.rotate_intermediate):
            with pytest.raises(RotationRefused, match="another control plane leads"):
                await command("me")

    run(body)


def test_a_new_intermediate_on_command_is_written_down(run: Callable[[Body], None]) -> None:
    async def body(world: World) -> None:
        rotation = await world.open()
        before = await world.node_gets_a_certificate()
        signer = await rotation.rotate_intermediate("me")
        after = await world.node_gets_a_certificate()
        assert signer.pem in after.chain_pem
        assert signer.pem not in before.chain_pem
        (event,) = await world.store.events()
        assert (event.kind, event.subject) == ("signer-replaced", f"{signer.certificate.serial_number:x}")

    run(body)


def test_a_root_at_its_half_life_begins_by_itself(run: Callable[[Body], None]) -> None:
    async def body(world: World) -> None:
        rotation = await world.open()
        world.parts.now = NOW + 1826 * DAY
        await rotation.look()
        await rotation.look()
        assert len(world.authority.keyring.roots) == 2
        (event,) = await world.store.events()
        assert (event.kind, event.asked_by) == ("root-prepared", "proa")

    run(body)


def write(paths: PluggedPaths, ca: Ca) -> None:
    paths.cert.write_text(ca.pem)
    paths.key.write_text(ca.key_pem)
    assert paths.chain is not None
    paths.chain.write_text("".join(map(to_pem, ca.issuers)))


def test_replaced_files_are_followed_with_overlap_where_the_root_is_another(
    run: Callable[[Body], None], tmp_path: Path
) -> None:
    async def body(world: World) -> None:
        paths = PluggedPaths(
            cert=tmp_path / "cert.pem", key=tmp_path / "key.pem", chain=tmp_path / "chain.pem"
        )
        write(paths, RSA_SIGNER)
        source = PluggedSource(paths, TRUST_DOMAIN)
        brought = await source.read(NOW)
        assert isinstance(brought, Ca)
        rotation = await world.open(source, brought)
        await rotation.look()
        assert len(world.authority.keyring.roots) == 1
        with pytest.raises(RotationRefused, match="replace its files"):
            await rotation.rotate_root("me")
        with pytest.raises(RotationRefused, match="replace its files"):
            await rotation.rotate_intermediate("me")

        write(paths, MIDDLE)  # the same root: at once
        await rotation.look()
        assert (await world.authority.keyring.signer()).certificate == MIDDLE.certificate
        assert len(world.authority.keyring.roots) == 1

        paths.cert.write_text("half written")
        await rotation.look()
        assert (await world.authority.keyring.signer()).certificate == MIDDLE.certificate

        write(paths, P384_ROOT)  # another root: prepared first
        await rotation.look()
        assert (await world.authority.keyring.signer()).certificate == MIDDLE.certificate
        assert len(world.authority.keyring.roots) == 2
        world.parts.now += 10
        assert isinstance(await rotation.look(), Activate)
        assert (await world.authority.keyring.signer()).certificate == P384_ROOT.certificate

        write(paths, RSA_SIGNER)  # back to the first, which is still trusted
        await rotation.look()
        world.parts.now += 10
        assert isinstance(await rotation.look(), Activate)
        assert isinstance(await rotation.look(), Retire)
        world.parts.now += 10
        assert isinstance(await rotation.look(), Retire)
        assert [root.digest for root in world.authority.keyring.roots] == [root_sha256(ROOT.pem)]
        assert (await world.authority.keyring.signer()).certificate == RSA_SIGNER.certificate

    run(body)


def test_a_ca_that_comes_by_command_overlaps_and_leaves_by_command(run: Callable[[Body], None]) -> None:
    async def body(world: World) -> None:
        rotation = await world.open()
        await rotation.plug(RSA_SIGNER, "me")
        assert (await world.authority.keyring.signer()).certificate != RSA_SIGNER.certificate
        world.parts.now += 10
        assert isinstance(await rotation.look(), Activate)
        world.parts.now += 10
        assert isinstance(await rotation.look(), Retire)
        await rotation.plug(MIDDLE, "me")  # under the same root
        assert (await world.authority.keyring.signer()).certificate == MIDDLE.certificate
        with pytest.raises(RotationRefused, match="proa certificate plug"):
            await rotation.rotate_intermediate("me")
        events = await world.store.events()
        assert {event.asked_by for event in events if event.kind in ("root-prepared", "signer-replaced")} == {
            "me"
        }
        rotation = await world.open()  # a restart without flags: the copy goes on
        assert (await world.authority.keyring.signer()).certificate == MIDDLE.certificate
        back = await rotation.rotate_root("me")
        world.parts.now += 10
        assert isinstance(await rotation.look(), Activate)
        assert world.authority.signing_root == back.digest

    run(body)


def test_a_command_does_not_take_the_place_of_files_nor_of_the_leader(
    run: Callable[[Body], None], tmp_path: Path
) -> None:
    async def body(world: World) -> None:
        paths = PluggedPaths(cert=tmp_path / "c", key=tmp_path / "k", chain=tmp_path / "ch")
        write(paths, RSA_SIGNER)
        rotation = await world.open(PluggedSource(paths, TRUST_DOMAIN), RSA_SIGNER)
        with pytest.raises(RotationRefused, match="replace its files"):
            await rotation.plug(P384_ROOT, "me")
        world.leads = False
        with pytest.raises(RotationRefused, match="another control plane leads"):
            await rotation.plug(P384_ROOT, "me")

    run(body)


def test_a_follower_adopts_files_when_it_leads(run: Callable[[Body], None], tmp_path: Path) -> None:
    async def body(world: World) -> None:
        paths = PluggedPaths(cert=tmp_path / "c", key=tmp_path / "k", chain=tmp_path / "ch")
        write(paths, RSA_SIGNER)
        source = PluggedSource(paths, TRUST_DOMAIN)
        brought = await source.read(NOW)
        assert isinstance(brought, Ca)
        await world.open()
        world.leads = False
        rotation = await world.open(source)
        await rotation.adopt(brought)
        await rotation.look()
        assert len(world.authority.keyring.roots) == 1
        world.leads = True
        await rotation.look()
        assert [each.is_plugged for each in world.authority.keyring.kept] == [False, True]

    run(body)


def test_files_that_cannot_be_read_are_named() -> None:
    missing = PluggedPaths(cert=Path("/nowhere/cert"), key=Path("/nowhere/key"))
    found = asyncio.run(PluggedSource(missing, TRUST_DOMAIN).read(NOW))
    assert not isinstance(found, Ca)
    assert [each.split(":")[0] for each in found.faults] == ["--ca-cert", "--ca-key"]

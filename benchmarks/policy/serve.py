"""Run as a program with a file of its Spec: the check service of the control plane with all that answers behind it
(world, rules, handlers), and nothing else of `proa serve`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from benchmarks.policy.scene import PORT, SERVER, Spec, configs, registrations
from proa.adapters.policy_catalog import installed
from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.mixer import Mixer
from proa.control_plane.world import World
from proa.core.auth.peer_policy import settled
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.mixer.plan.values import HandlerPlan
from proa.core.mixer.plan.verdict import CheckAnswer
from proa.core.mixer.templates import Instance
from proa.core.model.names import DEFAULT_TRUST_DOMAIN
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.pilot.registry.registration import contribution_of_registration
from proa.ports.policy_adapter import PolicyAdapter, PolicyHandler
from proa.runtime.garbage import spare_what_stays
from proa.runtime.supervise import Supervisor
from proa.servers.asgi import bind_tcp
from proa.servers.grpc_edge import Credentials, serving_grpc
from proa.servers.mixer.checks import checks_service


class Willing(PolicyHandler):
    """Says yes."""

    def __init__(self, uses: int) -> None:
        self._answer = CheckAnswer(valid_ms=3_600_000, valid_uses=uses)

    async def check(self, instance: Instance) -> CheckAnswer:
        return self._answer


class WillingAdapter:
    kind: AdapterKind = msgspec.structs.replace(BUILT_IN.adapters["noop"], missing="")

    def __init__(self, uses: int) -> None:
        self._uses = uses

    @asynccontextmanager
    async def open(self, handler: HandlerPlan) -> AsyncIterator[PolicyHandler]:
        yield Willing(self._uses)


def world_of(rules: int) -> World:
    world = World(MeshSettings(), lambda: 0.0, catalogue=installed().catalogue)
    contributions = tuple(
        contribution_of_registration(
            each,
            accounts={"ratings": (SERVER.name,)},
            port_tls={PORT: settled("STRICT")},
            trust_domain=DEFAULT_TRUST_DOMAIN,
        )
        for each in registrations()
    )
    world.fold_in([Change(contributions=contributions, configs=tuple(configs(rules)))])
    return world


async def main(spec: Spec) -> None:
    host, _, port = spec.address.rpartition(":")
    adapters: dict[str, PolicyAdapter] = {**installed().adapters}
    if not spec.rules:
        adapters["noop"] = WillingAdapter(spec.uses)
    world = world_of(spec.rules)
    mixer = Mixer(world, Handlers(adapters))
    world.subscribe(mixer.look)
    credentials = Credentials(spec.key_pem, spec.chain_pem, spec.root_pem)
    async with AsyncExitStack() as stack, Supervisor() as tasks:
        tasks.keep("mixer", mixer.run())
        await mixer.settled()
        socket = stack.enter_context(bind_tcp(host, int(port)))
        services = [checks_service(mixer, DEFAULT_TRUST_DOMAIN)]
        await stack.enter_async_context(serving_grpc(services, [socket], credentials, 0.2))
        spare_what_stays()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Spec)))

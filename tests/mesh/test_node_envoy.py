"""The node agent with real Envoys and a control plane of one page: what a user's workload goes through."""

import asyncio
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from immutables import Map

from proa.core.model.names import parse_workload_id
from proa.core.sidecar.local import (
    Drained,
    Exited,
    GatewayPortServed,
    HealthChanged,
    OwnerEvent,
    Place,
    Placed,
    Refused,
    Removed,
    Started,
    Stop,
    Warned,
    WorkloadSpec,
    WorkloadSummary,
    parse_port,
)
from proa.home import Home
from proa.node.client import (
    NoSuchWorkload,
    NotPlaced,
    ask_admin,
    exec_in_workload,
    list_workloads,
    run_workload,
    wait_gone,
    workload_environment,
)
from proa.node.credentials import load_credential, save_credential
from proa.node.local_calls import AgentConnection, agent
from proa.node.options import NodeOptions, NodeUnusable
from proa.node.run import CREDENTIAL, find_envoy, run_until
from proa.runtime.adopted import start_time
from proa.runtime.polling import poll
from proa.runtime.processes import start_child
from proa.runtime.processes import wait_gone as wait_gone_process
from tests.mesh.tiny_control_plane import TinyCa, TinyControlPlane, leaf_of
from tests.mesh.tiny_resources import configure


def why_no_envoy() -> str | None:
    try:
        find_envoy(NodeOptions(home=Home("/nonexistent")))
    except NodeUnusable as error:
        return str(error)
    return None


pytestmark = [
    pytest.mark.mesh,
    pytest.mark.skipif(why_no_envoy() is not None, reason=why_no_envoy() or ""),
]
SERVER = WorkloadSpec(name="hello", ports=(parse_port("8080:auto", "hello"),), labels=Map({"app": "hello"}))
CLIENT = WorkloadSpec(name="caller")
PROGRAM = """
import os, http.server

class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from " + os.environ["PROA_WORKLOAD"].encode())

    def log_message(self, *words):
        pass

address = os.environ.get("BIND", "127.0.0.1"), int(os.environ["PORT"])
http.server.ThreadingHTTPServer(address, Hello).serve_forever()
"""
APP = (sys.executable, "-c", PROGRAM)


class Mesh:
    """One node agent and its control plane, both in this process."""

    def __init__(self, home: Home, plane: TinyControlPlane, port: int, stop: asyncio.Event) -> None:
        self.home = home
        self.plane = plane
        self.port = port
        self.stop = stop


class Owner:
    """A workload held over the local protocol by the test."""

    def __init__(self, connection: AgentConnection) -> None:
        self.connection = connection
        self.events: list[OwnerEvent] = []

    async def until(self, kind: type[OwnerEvent], **wanted: object) -> OwnerEvent:
        async with asyncio.timeout(60):
            while True:
                event = await self.connection.receive()
                self.events.append(event)  # type: ignore[arg-type]
                if isinstance(event, kind) and all(
                    getattr(event, key) == value for key, value in wanted.items()
                ):
                    return event
                assert not isinstance(event, Refused), event


@asynccontextmanager
async def mesh(tmp_path: Path, *, leaf_ttl: int = 3600) -> AsyncIterator[Mesh]:
    home = Home(tmp_path / "home")
    home.prepare()
    plane = TinyControlPlane(TinyCa(leaf_ttl), configure)
    stop = asyncio.Event()
    async with plane.serve() as port:
        credential = plane.ca.node_credential("here", (f"127.0.0.1:{port}",))
        save_credential(home.node_dir / CREDENTIAL, credential)
        options = NodeOptions(home=home, metrics="127.0.0.1:0")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_until(options, stop))
            try:
                await eventually(lambda: answers(home))
                yield Mesh(home, plane, port, stop)
            finally:
                stop.set()


@asynccontextmanager
async def placed(mesh: Mesh, spec: WorkloadSpec) -> AsyncIterator[tuple[Owner, Placed]]:
    async with agent(mesh.home) as connection:
        owner = Owner(connection)
        await connection.send(Place(spec=spec))
        event = await owner.until(Placed)
        assert isinstance(event, Placed)
        yield owner, event


@asynccontextmanager
async def serving(mesh: Mesh, spec: WorkloadSpec = SERVER) -> AsyncIterator[tuple[Owner, Placed]]:
    """Placed, the app started and well."""
    async with placed(mesh, spec) as (owner, event):
        with start_child(APP, env={**os.environ, **event.env}) as app:
            await owner.connection.send(Started(pid=app.pid))
            await owner.until(HealthChanged, state="HEALTHY")
            yield owner, event


async def eventually(holds: Callable[[], Awaitable[bool]], within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        await poll(holds, 0.02, lambda: True)


async def answers(home: Home) -> bool:
    try:
        await list_workloads(home)
    except Exception:
        return False
    return True


async def call(event: Placed, url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, proxy=event.env["HTTP_PROXY"]) as answer:
        return answer.status, await answer.text()


def test_a_request_passes_both_sidecars_over_mtls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here, serving(here) as (_, server), placed(here, CLIENT) as (_, client):
            await eventually(lambda: is_answered(client))
            assert await call(client, "http://hello:8080/") == (200, "hello from default/hello")
            log = Path(server.access_log)
            await eventually(lambda: contains(log, "200 spiffe://cluster.local/ns/default/sa/caller"))
            assert here.plane.rejected == []
            assert {"default/hello", "default/caller"} <= set(here.plane.signed)

    asyncio.run(scenario())


async def is_answered(client: Placed) -> bool:
    return (await call(client, "http://hello:8080/"))[0] == 200


async def contains(path: Path, text: str) -> bool:
    return text in await asyncio.to_thread(path.read_text)


def test_a_plain_client_is_refused_by_the_inbound_port(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here, serving(here) as (_, server), aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.get(f"http://127.0.0.1:{server.ports[0].sidecar_port}/")

    asyncio.run(scenario())


def test_sockets_and_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here, placed(here, CLIENT) as (_, client):
            xds = here.home.workload_socket("default/caller", "xds")
            for path in (xds, Path(client.envoy_admin), here.home.node_socket):
                assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
                assert len(os.fsencode(path)) < 100
            assert stat.S_IMODE(here.home.run_dir.stat().st_mode) == 0o700
            key = here.home.workload_dir("default/caller") / "credential.json"
            assert stat.S_IMODE(key.stat().st_mode) == 0o600
            if os.getuid() == 0:
                for path in (xds, Path(client.envoy_admin), here.home.node_socket):
                    assert await asyncio.to_thread(connected_as_nobody, path) == "PermissionError"

    asyncio.run(scenario())


def test_a_process_that_is_not_its_envoy_is_refused_at_a_workloads_socket(tmp_path: Path) -> None:
    """Of another user, though somebody has opened every mode; and of the same one, which no mode keeps out."""

    async def scenario() -> None:
        async with mesh(tmp_path) as here, serving(here), placed(here, CLIENT) as (_, client):
            xds = here.home.workload_socket("default/caller", "xds")
            told = await asyncio.to_thread(asked_for_configuration, xds, None)
            assert told.startswith("PERMISSION_DENIED"), told
            assert "is not the one that this socket is for" in told
            refusals = {("another process", "caller"): 1}
            if os.getuid() == 0:
                here.home.run_dir.chmod(0o755)
                xds.chmod(0o666)
                told = await asyncio.to_thread(asked_for_configuration, xds, 65534)
                assert "of user 65534 is not the one that this socket is for: it is another user's" in told
                refusals["another user", "caller"] = 1
                here.home.run_dir.chmod(0o700)
            page = await metrics_page(here)
            assert {
                (reason, workload): int(count)
                for reason, workload, count in re.findall(
                    r'proa_node_denied_total\{reason="(.+?)",namespace="default",workload="(.+?)"\} (\d+)',
                    page,
                )
            } == refusals
            assert await is_answered(client), "its own Envoy never lost its stream"

    asyncio.run(scenario())


async def metrics_page(here: Mesh) -> str:
    address = msgspec.json.decode((here.home.path / "node.json").read_bytes())["metrics"]
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as answer:
        return await answer.text()


ASKING = """
import os, socket, sys
from proa.core.auth.workload_api import read_svids
from proa.core.grpc_wire.asking import Call

call = Call("/SpiffeWorkloadAPI/FetchX509SVID", b"", (("workload.spiffe.io", "true"),))
with socket.socket(socket.AF_UNIX) as peer:
    peer.settimeout(60)
    peer.connect(os.environ["SPIFFE_ENDPOINT_SOCKET"].removeprefix("unix://"))
    found = []
    while call.status is None and not found:
        peer.sendall(call.take())
        data = peer.recv(65536)
        found = call.receive(data) if data else call.lost() or []
print([str(each.identity) for each in read_svids(found[0])] if found else call.status.code.name)
"""


def test_a_program_is_served_its_own_identity_by_spiffes_api_and_nobody_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here:
            spec = msgspec.structs.replace(CLIENT, workload_api=True)
            log, done = tmp_path / "app.log", tmp_path / "done"
            log.touch()
            # A shell between: the program is whoever descends from what was started.
            script = f'{sys.executable} -c "$ASKING"; until test -e {done}; do sleep 0.1; done'
            environ = {**os.environ, "ASKING": ASKING}
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(
                    run_workload(
                        here.home, spec, ("/bin/sh", "-c", script), lambda _: None, environ=environ, log=log
                    )
                )
                await eventually(lambda: contains(log, "spiffe://"))
                assert log.read_text().strip() == "['spiffe://cluster.local/ns/default/sa/caller']"
                socket_path = here.home.workload_socket("default/caller", "spiffe")
                assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
                stranger = await asyncio.to_thread(
                    subprocess.run,
                    [sys.executable, "-c", ASKING],
                    env={**os.environ, "SPIFFE_ENDPOINT_SOCKET": f"unix://{socket_path}"},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                assert stranger.stdout.strip() == "PERMISSION_DENIED"
                done.touch()
            assert running.result() == 0
            await eventually(lambda: is_gone(socket_path))

    asyncio.run(scenario())


async def is_gone(path: Path) -> bool:
    return not await asyncio.to_thread(path.exists)


def asked_for_configuration(xds: Path, user: int | None) -> str:
    """How a delta stream ends that another process opens, with all that a stranger could know of the protocol."""
    program = (
        "import os,socket,sys\n"
        "from proa.core.grpc_wire.asking import Call\n"
        "service = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'\n"
        "call = Call(service, b'')\n"
        "if sys.argv[2]: os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))\n"
        "with socket.socket(socket.AF_UNIX) as peer:\n"
        "    peer.settimeout(60); peer.connect(sys.argv[1])\n"
        "    while call.status is None:\n"
        "        peer.sendall(call.take())\n"
        "        data = peer.recv(65536)\n"
        "        call.receive(data) if data else call.lost()\n"
        "print(call.status.code.name, call.status.message)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(xds), str(user or "")], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def connected_as_nobody(path: Path) -> str:
    program = (
        "import os,socket,sys\nos.setgid(65534);os.setuid(65534)\n"
        "try: socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print('connected')\n"
        "except OSError as error: print(type(error).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_calls_go_on_while_the_control_plane_is_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = Home(tmp_path / "home")
        home.prepare()
        plane = TinyControlPlane(TinyCa(), configure)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            async with plane.serve() as port:
                credential = plane.ca.node_credential("here", (f"127.0.0.1:{port}",))
                save_credential(home.node_dir / CREDENTIAL, credential)
                tasks.create_task(run_until(NodeOptions(home=home, metrics=""), stop))
                await eventually(lambda: answers(home))
                here = Mesh(home, plane, port, stop)
                server = serving(here)
                _, _ = await server.__aenter__()
                client = placed(here, CLIENT)
                _, calling = await client.__aenter__()
                await eventually(lambda: is_answered(calling))
            await eventually(lambda: is_connected(home, False))
            assert await is_answered(calling)
            async with plane.serve(port):
                await eventually(lambda: is_connected(home, True))
                assert await is_answered(calling)
                await client.__aexit__(None, None, None)
                await server.__aexit__(None, None, None)
                stop.set()

    asyncio.run(scenario())


async def is_connected(home: Home, wanted: bool) -> bool:
    return (await list_workloads(home)).connected is wanted


def test_a_killed_envoy_comes_back_on_its_ports(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            mesh(tmp_path) as here,
            serving(here),
            placed(here, CLIENT) as (owner, client),
        ):
            await eventually(lambda: is_answered(client))
            (summary,) = [
                each for each in (await list_workloads(here.home)).workloads if each.id.name == "caller"
            ]
            assert summary.envoy_pid is not None
            os.kill(summary.envoy_pid, signal.SIGSEGV)
            await owner.until(Warned, code="sidecar_restarted")
            await eventually(lambda: is_served_again(here, client))
            assert await call(client, "http://hello:8080/") == (200, "hello from default/hello")

    asyncio.run(scenario())


async def is_served_again(here: Mesh, client: Placed) -> bool:
    summaries = {each.id.name: each for each in (await list_workloads(here.home)).workloads}
    return summaries["caller"].restarts == 1 and summaries["caller"].proxy == "ready"


def test_certificates_are_renewed_at_half_life_without_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path, leaf_ttl=10) as here, serving(here), placed(here, CLIENT) as (_, client):
            await eventually(lambda: is_answered(client))
            await here.plane.until(lambda: here.plane.signed.count("default/hello") >= 2)
            await here.plane.until(lambda: here.plane.signed.count("node") >= 1)

            async def serves_new() -> bool:
                """It may be renewed again between the two looks."""
                stored = load_credential(here.home.workload_dir("default/hello") / "credential.json")
                assert stored is not None
                answer = await ask_admin(here.home, "hello", "/certs")
                return f"{leaf_of(stored.chain_pem).serial_number:x}" in answer.body

            await eventually(serves_new)
            await eventually(lambda: is_answered(client))
            assert {each.restarts for each in (await list_workloads(here.home)).workloads} == {0}

    asyncio.run(scenario())


def test_the_end_of_an_app_is_seen_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here, placed(here, SERVER) as (owner, event):
            with start_child(APP, env={**os.environ, **event.env}) as app:
                await owner.connection.send(Started(pid=app.pid))
                await owner.until(HealthChanged, state="HEALTHY")
                app.send(signal.SIGKILL)
                await owner.until(HealthChanged, state="UNHEALTHY")
            await here.plane.until(lambda: health_above(here) == "UNHEALTHY")
            await owner.connection.send(Exited(code=-9))
            await owner.until(Removed)
            await here.plane.until(lambda: here.plane.registration("default/hello") is None)

    asyncio.run(scenario())


def health_above(here: Mesh) -> str:
    registration = here.plane.registration("default/hello")
    return registration.ports[0].health if registration else "gone"


def test_stop_drains_before_anything_ends(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here, serving(here) as (owner, server):
            await owner.connection.send(Stop())
            await owner.until(Drained)
            assert health_above(here) == "DRAINING"
            await owner.connection.send(Exited(code=0))
            await owner.until(Removed)
            assert not await asyncio.to_thread(Path(server.envoy_admin).exists)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", server.ports[0].sidecar_port))

    asyncio.run(scenario())


def test_a_lost_owner_takes_the_workload_with_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here:
            async with placed(here, CLIENT):
                (summary,) = (await list_workloads(here.home)).workloads
            assert await wait_gone(here.home, "caller", 60)
            assert summary.envoy_pid is not None
            assert start_time(summary.envoy_pid) is None
            await here.plane.until(lambda: here.plane.registrations == ())

    asyncio.run(scenario())


def test_a_refusal_reaches_the_user(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here, agent(here.home) as connection:
            here.plane.refuse = {parse_workload_id("caller"): "node here may not place that"}
            await connection.send(Place(spec=CLIENT))
            async with asyncio.timeout(60):
                while not isinstance(event := await connection.receive(), Refused):
                    pass
            assert event.reason == "node here may not place that"
            assert (await list_workloads(here.home)).workloads == ()

    asyncio.run(scenario())


def test_low_and_taken_ports_of_a_gateway_are_mapped(tmp_path: Path) -> None:
    async def scenario() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            number = taken.getsockname()[1]
            async with mesh(tmp_path) as here, serving(here):
                here.plane.wanted_ports = (80, number)
                async with placed(here, WorkloadSpec(name="edge", kind="gateway")) as (owner, _):
                    first = await owner.until(GatewayPortServed)
                    second = await owner.until(GatewayPortServed)
                    assert isinstance(first, GatewayPortServed)
                    assert isinstance(second, GatewayPortServed)
                    bound = {each.server_port: each.bound_port for each in (first, second)}
                    assert bound.keys() == {80, number}
                    assert bound[80] >= 1024
                    assert bound[number] != number
                    url = f"http://127.0.0.1:{bound[80]}/"
                    async with (
                        aiohttp.ClientSession() as session,
                        session.get(url, headers={"host": "hello"}) as answer,
                    ):
                        assert answer.status == 200

    asyncio.run(scenario())


def test_run_gives_the_app_its_place_and_passes_on_its_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here:
            events: list[OwnerEvent] = []
            program = (
                "import os,sys; print(os.environ['HTTP_PROXY'], os.environ['PROA_WORKLOAD']); sys.exit(7)"
            )
            log = tmp_path / "app.log"
            code = await run_workload(
                here.home, CLIENT, (sys.executable, "-c", program), events.append, log=log
            )
            assert code == 7
            assert "default/caller" in log.read_text()
            assert isinstance(events[-1], Removed)
            code = await run_workload(here.home, CLIENT, ("/no/such/program",), events.append, log=log)
            assert code == 127

    asyncio.run(scenario())


def test_exec_speaks_as_the_workload(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here, serving(here):
            program = "import os,sys; sys.exit(3 if os.environ['PROA_WORKLOAD'] == 'default/hello' else 4)"
            assert await exec_in_workload(here.home, "hel", (sys.executable, "-c", program)) == 3
            assert (await workload_environment(here.home, "default/hello")).id.name == "hello"
            with pytest.raises(NoSuchWorkload):
                await workload_environment(here.home, "nobody")

    asyncio.run(scenario())


def test_an_app_beyond_loopback_is_warned_about(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here, placed(here, SERVER) as (owner, event):
            with start_child(APP, env={**os.environ, **event.env, "BIND": "0.0.0.0"}) as app:
                await owner.connection.send(Started(pid=app.pid))
                await owner.until(Warned, code="listens_beyond_loopback")

    asyncio.run(scenario())


def test_metrics_of_all_sidecars_stand_on_one_page(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mesh(tmp_path) as here, serving(here), placed(here, CLIENT) as (_, client):
            await eventually(lambda: is_answered(client))
            address = msgspec.json.decode((here.home.path / "node.json").read_bytes())["metrics"]
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://{address}/metrics") as answer:
                    page = await answer.text()
                async with session.get(f"http://{address}/ready") as answer:
                    assert answer.status == 200
            assert 'envoy_http_downstream_rq_total{namespace="default",workload="caller"' in page
            assert 'envoy_server_live{namespace="default",workload="hello"} 1' in page
            assert page.count("# TYPE envoy_server_live gauge") == 1

    asyncio.run(scenario())


AGENT = """
import asyncio, sys
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.run import run
asyncio.run(run(NodeOptions(home=Home(sys.argv[1]), metrics="")))
"""


def test_nothing_outlives_an_agent_that_ends_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = Home(tmp_path / "home")
        home.prepare()
        plane = TinyControlPlane(TinyCa(), configure)
        async with plane.serve() as port:
            credential = plane.ca.node_credential("here", (f"127.0.0.1:{port}",))
            save_credential(home.node_dir / CREDENTIAL, credential)
            with start_child((sys.executable, "-c", AGENT, str(home.path))) as process:
                await eventually(lambda: answers(home))
                sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
                seen: list[WorkloadSummary] = []

                async def end_the_agent() -> None:
                    await eventually(lambda: runs(home))
                    seen.extend((await list_workloads(home)).workloads)
                    process.send(signal.SIGTERM)

                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(end_the_agent())
                    with pytest.raises(NotPlaced):
                        await run_workload(home, CLIENT, sleeper, lambda event: None)
                (summary,) = seen
                async with asyncio.timeout(60):
                    for pid in (summary.pid, summary.envoy_pid):
                        assert pid is not None
                        await wait_gone_process(pid)
                assert await process.wait() == 0
        await asyncio.to_thread(shutil.rmtree, home.run_dir, ignore_errors=True)

    asyncio.run(scenario())


async def runs(home: Home) -> bool:
    return any(each.pid is not None for each in (await list_workloads(home)).workloads)

"""A gateway's Envoy takes every listener that Gateways and rules can make, however they collide.

Hypothesis makes the objects, the translators the listeners; one Envoy then judges all that were made (`--mode
validate` reads them as it would from the control plane), so that hundreds cost what one does.
"""

import json
import subprocess
from itertools import count
from pathlib import Path

import pytest
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext
from google.protobuf.json_format import MessageToDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from proa.core.config.server_tls import CIPHER_SUITES, ECDH_CURVES, VERSIONS
from proa.core.model.settings import Handling
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate.resources import decode, unpack
from proa.core.pilot.translate.authorization.filters import AuthorizationIntent
from proa.core.pilot.translate.authorization.predicates import Place
from proa.core.pilot.translate.encode import pack
from proa.core.pilot.translate.listeners.gateway import (
    GatewayChain,
    GatewayListenerIntent,
    build_gateway_listener,
)
from proa.core.pilot.translate.operator_tls import Checked, ServedTls
from proa.core.pilot.translate.tls import CERTIFICATE_SECRET
from proa.core.sidecar.bootstrap import SidecarProcess, build_bootstrap
from proa.core.sidecar.session import GatewayPort
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.run import find_envoy
from proa.testing.builders import Mesh, change_of, registration, simple
from proa.testing.strategies import GATEWAY, destination_rules, gateways, service_entries, virtual_services
from tests.certificates import Authority, Issued
from tests.mesh.harness import why_no_envoy

pytestmark = [
    pytest.mark.mesh,
    pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy() or "there is one"),
]

EDGE = registration(
    str(GATEWAY),
    kind="gateway",
    labels={"istio": "ingressgateway"},
    gateway_ports=tuple(GatewayPort(server_port=port, bound_port=port + 8000) for port in (80, 8080)),
)
OBJECTS = st.lists(
    st.one_of(
        gateways(), gateways(), virtual_services(), virtual_services(), destination_rules(), service_entries()
    ),
    min_size=2,
    max_size=7,
    unique_by=lambda each: each.ref,
)


def made_by_chance() -> dict[bytes, Listener]:
    found: dict[bytes, Listener] = {}

    @settings(max_examples=300, suppress_health_check=list(HealthCheck), derandomize=True, deadline=None)
    @given(OBJECTS)
    def collect(objects: list[object]) -> None:
        mesh = Mesh(simple("default/a", "v1"), EDGE)
        mesh.world.fold_in([change_of(objects)])  # type: ignore[arg-type]
        own = mesh.source(GATEWAY).own.resources
        for (kind, _), resource in own.items():
            if kind is ResourceType.LISTENER:
                found[resource.body] = decode(resource, Listener)

    collect()
    return found


def with_tls(served: ServedTls) -> Listener:
    chain = GatewayChain(name="a", sni=("*",), tls=served, routes="r")
    nobody = AuthorizationIntent(name="a", place=Place(ports=(1,), trust_domain="cluster.local"))
    intent = GatewayListenerIntent(
        name="l",
        bind="127.0.0.1",
        bound_port=1,
        handling=Handling(),
        authorization=nobody,
        chains=(chain,),
        objects=(),
    )
    return decode(build_gateway_listener(intent), Listener)


def every_word_of_tls() -> list[Listener]:
    plain = ServedTls(certificates=("credential:rsa", "file-cert:/c~/k"))
    versions = [each.replace("TLSV", "TLSv") for each in VERSIONS]
    pins = Checked(
        roots="file-root:/r~/l",
        is_required=True,
        is_lax=True,
        names=("a.example", "10.0.0.1", "spiffe://a/b", "ann@a.example"),
        spki_pins=("A" * 43 + "=",),
        hash_pins=("ab" * 32,),
    )
    said = [
        *(replace(plain, ciphers=(cipher,)) for cipher in CIPHER_SUITES),
        *(replace(plain, curves=(curve,)) for curve in ECDH_CURVES),
        *(replace(plain, lowest=version, highest=version) for version in versions),
        replace(plain, ciphers=CIPHER_SUITES, curves=ECDH_CURVES, clients=pins),
        ServedTls(mesh_names=("spiffe://a/ns/b/sa/c",)),
    ]
    return [with_tls(each) for each in said]


def give_certificates(listener: Listener, root: Authority, pairs: list[Issued]) -> None:
    """In place of those that an agent would give: an Envoy judges a server's TLS only when it has its certificates."""
    for chain in listener.filter_chains:
        context = unpack(chain.transport_socket.typed_config, DownstreamTlsContext)
        if context is None or not (secrets := context.common_tls_context.tls_certificate_sds_secret_configs):
            continue
        if secrets[0].name == CERTIFICATE_SECRET:
            continue
        common = context.common_tls_context
        for pair in pairs[: len(secrets)]:
            given = common.tls_certificates.add()
            given.certificate_chain.filename, given.private_key.filename = str(pair.cert), str(pair.key)
        del common.tls_certificate_sds_secret_configs[:]
        if common.HasField("combined_validation_context"):
            validation = common.combined_validation_context.default_validation_context
            validation.trusted_ca.filename = str(root.roots)
            common.validation_context.CopyFrom(validation)
        chain.transport_socket.typed_config.CopyFrom(pack(context))


def refusal_of(listeners: list[Listener], folder: Path) -> str:
    """What Envoy says against a configuration of all of these; empty when it takes it."""
    process = SidecarProcess(
        id=GATEWAY,
        kind="gateway",
        account="edge",
        xds_socket=str(folder / "x"),
        admin_socket=str(folder / "a"),
        binary=str(find_envoy(NodeOptions(home=Home(folder)))),
        bootstrap_file=str(folder / "bootstrap.json"),
    )
    bootstrap: Bootstrap = build_bootstrap(process)
    root = Authority(folder)
    pairs = [root.issue("a.example", kind=kind) for kind in ("RSA", "EC")]
    for number, each in zip(count(10_000), listeners, strict=False):
        listener = bootstrap.static_resources.listeners.add()
        listener.CopyFrom(each)
        give_certificates(listener, root, pairs)
        listener.name = f"{each.name} {number}"
        listener.address.socket_address.port_value = number
    file = folder / "bootstrap.json"
    file.write_text(json.dumps(MessageToDict(bootstrap, preserving_proto_field_name=True)))
    argv = (process.binary, "--mode", "validate", "--config-path", str(file), "--log-level", "error")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
    return "" if done.returncode == 0 else done.stderr + done.stdout


@pytest.mark.timeout(900)  # it computes all the time, and has a core to itself only on a quiet machine
def test_envoy_takes_whatever_servers_and_rules_make_together(tmp_path: Path) -> None:
    made = list(made_by_chance().values())
    chains = sum(len(each.filter_chains) for each in made)
    assert len(made) > 100 < chains, "chance made too little to judge"
    assert refusal_of(made, tmp_path) == ""


def test_envoy_takes_every_word_of_tls_that_the_language_takes(tmp_path: Path) -> None:
    assert refusal_of(every_word_of_tls(), tmp_path) == ""


def test_envoy_would_refuse_what_the_language_refuses(tmp_path: Path) -> None:
    assert "RC4" in refusal_of([with_tls(ServedTls(certificates=("a",), ciphers=("RC4",)))], tmp_path)
    twin = with_tls(ServedTls(certificates=("a",)))
    twin.filter_chains.append(twin.filter_chains[0])
    assert "filter chain" in refusal_of([twin], tmp_path)

"""The bootstrap that a program's gRPC reads."""

import msgspec

from proa.core.model.names import WorkloadId
from proa.core.pilot.translate import proxyless
from proa.core.sidecar.grpc_bootstrap import CERTIFICATE_PROVIDER, ProxylessFiles, grpc_bootstrap

FILES = ProxylessFiles(socket="/run/x.xds", key="/w/key.pem", chain="/w/chain.pem", roots="/w/roots.pem")


def test_it_names_the_socket_and_the_files() -> None:
    read = msgspec.json.decode(grpc_bootstrap(WorkloadId("default", "caller"), FILES))
    assert [each["server_uri"] for each in read["xds_servers"]] == ["unix:/run/x.xds"]
    assert read["node"]["id"] == "proxyless~default/caller"
    config = read["certificate_providers"][CERTIFICATE_PROVIDER]["config"]
    assert config["private_key_file"] == "/w/key.pem"
    assert config["certificate_file"] == "/w/chain.pem"
    assert config["ca_certificate_file"] == "/w/roots.pem"


def test_what_is_served_names_the_same_provider() -> None:
    assert proxyless.CERTIFICATE_PROVIDER == CERTIFICATE_PROVIDER

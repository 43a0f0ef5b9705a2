"""What a program without a sidecar reads: the bootstrap of gRPC's own xDS client (`GRPC_XDS_BOOTSTRAP`).

It names the agent's socket of the workload, and the three files of its key, chain and roots, which the client looks at
again by itself. Only its own trust domain's roots are there: the client cannot tell whose root vouches for whom.
"""

from typing import Final

import msgspec

from proa.core.model.names import WorkloadId

CERTIFICATE_PROVIDER: Final = "proa"
"""As in `core.pilot.translate.proxyless`, which names it in what the client is served."""
REFRESH: Final = "1s"
"""How often the client looks at the files; far below the shortest half life."""
VARIABLE: Final = "GRPC_XDS_BOOTSTRAP"


class ProxylessFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Paths."""

    socket: str
    key: str
    chain: str
    roots: str


def grpc_bootstrap(workload: WorkloadId, files: ProxylessFiles) -> str:
    """The file's text. The node id is for readers of logs: identity is the socket."""
    bootstrap = {
        "xds_servers": [
            {
                "server_uri": f"unix:{files.socket}",
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3"],
            }
        ],
        "node": {"id": f"proxyless~{workload}"},
        "certificate_providers": {
            CERTIFICATE_PROVIDER: {
                "plugin_name": "file_watcher",
                "config": {
                    "certificate_file": files.chain,
                    "private_key_file": files.key,
                    "ca_certificate_file": files.roots,
                    "refresh_interval": REFRESH,
                },
            }
        },
    }
    return msgspec.json.format(msgspec.json.encode(bootstrap)).decode()

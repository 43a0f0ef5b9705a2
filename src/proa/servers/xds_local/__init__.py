"""The node agent's xDS server for one Envoy on one Unix socket. It moves bytes; `Downstream` decides."""

from proa.servers.xds_local.server import Downstream, serve_xds

__all__ = ["Downstream", "serve_xds"]

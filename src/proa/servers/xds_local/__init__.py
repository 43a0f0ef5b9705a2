"""The node agent's xDS server for one workload on one Unix socket. It moves bytes; `Downstream` decides."""

from proa.servers.xds_local.server import STATE_OF_THE_WORLD, Downstream, Guard, admit, serve_xds

__all__ = ["STATE_OF_THE_WORLD", "Downstream", "Guard", "admit", "serve_xds"]

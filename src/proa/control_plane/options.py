"""How one control plane was told to run. The command line builds it, `control_plane.run` obeys it.

Flags and environment are read in `proa.cli` alone; nothing below this value looks at either.
"""

from pathlib import Path

import msgspec

from proa.adapters.key_stores.kubernetes import SecretAccess
from proa.adapters.stores.etcd import EtcdAccess
from proa.adapters.upstream_authorities.spire import SpireAccess
from proa.adapters.upstream_authorities.vault import VaultAccess
from proa.control_plane.plugged_files import PluggedPaths
from proa.core.model.names import DEFAULT_TRUST_DOMAIN
from proa.core.model.settings import OutboundPolicy


class SharedStore(msgspec.Struct, frozen=True, kw_only=True):
    """An etcd that several control planes share. `seal_key` is the file with which they seal the CA's keys there."""

    access: EtcdAccess
    seal_key: Path


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`home` is the mesh's directory. `listen` is the address all TCP servers take, `advertise` the one written
    into tokens and `home.endpoints` (None: `listen`, or this host's own address when that is a wildcard).
    A port of 0 is any free one. `config_dir`, when given, is watched beside the store. `leaf_ttl` is seconds,
    and so is `keep_records`: how long tokens and certificates are remembered after their end.
    `plugged` names the files of a CA that the operator brings, `vault` or `spire` who signs one for us.
    `ca_passphrase` is the file with which the CA's keys on disk are encrypted, `ca_secret` the Secret of
    Kubernetes that holds them instead. `token_issuers` names the file that
    says whose tokens count; `admin_port` is where the admin API answers other hosts, operators with a certificate and
    those who have a token of the file `admin_roles`;
    `signing_workers` are processes that sign when there is much to sign. Without a `shared` store all is kept in the
    home.
    """

    home: Path
    listen: str = "127.0.0.1"
    advertise: str | None = None
    xds_port: int = 15012
    join_port: int = 15013
    metrics_port: int = 15014
    trust_domain: str = DEFAULT_TRUST_DOMAIN
    outbound_policy: OutboundPolicy = "ALLOW_ANY"
    config_dir: Path | None = None
    leaf_ttl: int = 24 * 3600
    keep_records: float = 90 * 24 * 3600.0
    plugged: PluggedPaths | None = None
    vault: VaultAccess | None = None
    spire: SpireAccess | None = None
    ca_passphrase: Path | None = None
    ca_secret: SecretAccess | None = None
    token_issuers: Path | None = None
    admin_port: int | None = None
    admin_roles: Path | None = None
    signing_workers: int = 1
    shared: SharedStore | None = None

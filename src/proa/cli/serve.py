"""`proa serve`: flags to ServeOptions."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from proa.cli.parameters import Duration
from proa.cli.programs import mesh_options, run_program, verbose_option
from proa.cli.shared_store import StoreFiles, shared_store, store_options
from proa.cli.surroundings import Failure, Surroundings

if TYPE_CHECKING:
    from proa.adapters.key_stores.kubernetes import SecretAccess
    from proa.adapters.upstream_authorities.spire import SpireAccess
    from proa.adapters.upstream_authorities.vault import VaultAccess
    from proa.control_plane.plugged_files import PluggedPaths
    from proa.core.model.settings import OutboundPolicy


@click.command("serve", short_help="Run a control plane.")
@mesh_options(ports=(15012, 15013, 15014))
@click.option(
    "--keep-records",
    type=Duration(),
    default="90d",
    show_default=True,
    help="How long join tokens and certificates are remembered after their end.",
)
@click.option(
    "--ca-passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File (mode 0600) whose first line encrypts the CA's keys in the home.",
)
@click.option(
    "--ca-secret",
    metavar="NAMESPACE/NAME",
    help="Keep the CA's keys in this Secret of Kubernetes instead of the home.",
)
@click.option(
    "--ca-secret-server",
    metavar="URL",
    default="https://kubernetes.default.svc",
    show_default=True,
    help="API server for --ca-secret.",
)
@click.option(
    "--ca-secret-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Token for it; that of this pod's service account when left out.",
)
@click.option(
    "--ca-secret-roots",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Roots (PEM) that it is checked against; those of this pod's service account when left out.",
)
@click.option(
    "--ca-vault", metavar="URL", help="Vault that signs the CA: https://HOST:8200/MOUNT of its PKI engine."
)
@click.option(
    "--ca-vault-token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the token for that Vault.",
)
@click.option(
    "--ca-vault-roots",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Roots (PEM) that Vault's own certificate is checked against; the system's when left out.",
)
@click.option(
    "--ca-spire",
    metavar="HOST[:PORT]",
    help="SPIRE server that signs the CA; its trust domain must be the mesh's.  [port: 8081]",
)
@click.option(
    "--ca-spire-socket",
    metavar="PATH",
    envvar="SPIFFE_ENDPOINT_SOCKET",
    help="Workload API of the SPIRE agent on this host, with --ca-spire: a path, or unix:///PATH.",
)
@click.option(
    "--admin-port",
    type=click.IntRange(0, 65535),
    help="Answer the admin API to other hosts, too: to operators with a certificate, or by --admin-roles.",
)
@click.option(
    "--admin-roles",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File (JSON) of the tokens for --admin-port and their roles.",
)
@click.option(
    "--token-issuers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File (JSON) of the issuers whose tokens get a certificate at the Istio-compatible service.",
)
@click.option(
    "--signing-workers",
    type=click.IntRange(0, 64),
    default=1,
    show_default=True,
    help="Processes that sign when there is much to sign; started when first needed.",
)
@store_options
@verbose_option
@click.pass_obj
def command(
    surroundings: Surroundings,
    listen: str,
    advertise: str | None,
    xds_port: int,
    join_port: int,
    metrics_port: int,
    trust_domain: str,
    outbound_policy: "OutboundPolicy",
    config_dir: Path | None,
    leaf_ttl: float,
    ca_cert: Path | None,
    ca_key: Path | None,
    ca_chain: Path | None,
    keep_records: float,
    ca_passphrase_file: Path | None,
    ca_secret: str | None,
    ca_secret_server: str,
    ca_secret_token_file: Path | None,
    ca_secret_roots: Path | None,
    ca_vault: str | None,
    ca_vault_token_file: Path | None,
    ca_vault_roots: Path | None,
    ca_spire: str | None,
    ca_spire_socket: str | None,
    admin_port: int | None,
    admin_roles: Path | None,
    token_issuers: Path | None,
    signing_workers: int,
    store: str | None,
    seal_key_file: Path | None,
    store_ca_file: Path | None,
    store_cert_file: Path | None,
    store_key_file: Path | None,
    store_user: str,
    store_password_file: Path | None,
    verbose: bool,
) -> None:
    """Run a control plane until SIGTERM or Ctrl-C. It keeps configuration, certificate authority and join
    tokens in the home, logs to standard error, and answers the other commands of this home.

    With --store several control planes serve one mesh: each has a home of its own, and all the same etcd, prefix and
    seal key. See docs/high-availability.md.

    `proa up` runs one together with a node agent.

    \b
    Example, on a host that others can reach:
      proa serve --listen 0.0.0.0 --advertise 10.0.0.5
      proa token create --node web-1         (in another terminal; then on web-1: proa node --token ...)
      proa serve --store etcds://db-1,db-2,db-3/shop --store-ca-file etcd-ca.pem --seal-key-file seal.key ...
    """
    from proa.control_plane.askers import IssuersUnusable
    from proa.control_plane.options import ServeOptions
    from proa.control_plane.plugged_files import PluggedUnusable
    from proa.control_plane.run import run
    from proa.core.auth.template import IssuanceError
    from proa.home import HomeUnusable
    from proa.ports.failures import StoreFailure
    from proa.servers.admin.roles import RolesUnusable
    from proa.servers.asgi import AddressTaken

    if ca_secret is not None and (store is not None or ca_passphrase_file is not None):
        raise click.UsageError(
            "--ca-secret is for a store in the home, whose keys have no other place: it goes with neither --store nor "
            "--ca-passphrase-file"
        )
    if sum(each is not None for each in (ca_cert, ca_vault, ca_spire)) > 1:
        raise click.UsageError("the CA is of --ca-cert, --ca-vault or --ca-spire: of one of them")
    if admin_port is None and admin_roles is not None:
        raise click.UsageError("--admin-roles needs --admin-port")
    files = StoreFiles(
        ca=store_ca_file,
        cert=store_cert_file,
        key=store_key_file,
        user=store_user,
        password=store_password_file,
    )
    options = ServeOptions(
        home=surroundings.home.path,
        listen=listen,
        advertise=advertise,
        xds_port=xds_port,
        join_port=join_port,
        metrics_port=metrics_port,
        trust_domain=trust_domain,
        outbound_policy=outbound_policy,
        config_dir=config_dir,
        leaf_ttl=int(leaf_ttl),
        plugged=_plugged(ca_cert, ca_key, ca_chain),
        keep_records=keep_records,
        ca_passphrase=ca_passphrase_file,
        ca_secret=_secret(ca_secret, ca_secret_server, ca_secret_token_file, ca_secret_roots),
        vault=_vault(ca_vault, ca_vault_token_file, ca_vault_roots),
        spire=_spire(ca_spire, ca_spire_socket),
        admin_port=admin_port,
        admin_roles=admin_roles,
        token_issuers=token_issuers,
        signing_workers=signing_workers,
        shared=shared_store(store, seal_key_file, files),
    )
    try:
        run_program(run(options), verbose=verbose)
    except AddressTaken as error:
        if error.filename == str(surroundings.home.admin_socket):
            raise Failure(f"a control plane is running at {surroundings.home.path} already") from None
        raise Failure(error.strerror or str(error), "choose other ports, or 0 for free ones") from None
    except IssuersUnusable as error:
        raise Failure(str(error), "docs/certificates.md tells what the file holds") from None
    except RolesUnusable as error:
        raise Failure(str(error), "docs/security.md tells what the file holds") from None
    except PluggedUnusable as error:
        raise Failure(str(error), "docs/certificates.md tells what a CA of yours needs") from None
    except IssuanceError as error:
        todo = f"the authority's keys are in {surroundings.home.ca_dir}; another trust domain needs another --home"
        raise Failure(str(error), todo) from None
    except (HomeUnusable, StoreFailure, OSError) as error:
        raise Failure(str(error)) from None


def _secret(
    named: str | None, server: str, token_file: Path | None, roots: Path | None
) -> "SecretAccess | None":
    from proa.adapters.key_stores.kubernetes import SERVICE_ACCOUNT, SecretAccess
    from proa.core.auth.spiffe import is_dns_label, is_dns_name

    if named is None:
        return None
    namespace, _, name = named.partition("/")
    if not is_dns_label(namespace) or not is_dns_name(name):
        raise click.BadParameter(
            f"{named!r} is no NAMESPACE/NAME, for example proa-system/proa-ca", param_hint="--ca-secret"
        )
    if not server.startswith("https://"):
        raise click.BadParameter(
            "the API server is https://HOST[:PORT]: keys travel there", param_hint="--ca-secret-server"
        )
    return SecretAccess(
        namespace=namespace,
        name=name,
        server=server,
        token_file=token_file or SERVICE_ACCOUNT / "token",
        ca_file=roots or SERVICE_ACCOUNT / "ca.crt",
    )


def _vault(url: str | None, token_file: Path | None, roots: Path | None) -> "VaultAccess | None":
    from urllib.parse import urlsplit

    from proa.adapters.upstream_authorities.vault import VaultAccess

    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.netloc or not parts.path.strip("/"):
        raise click.UsageError("--ca-vault is https://HOST:PORT/MOUNT, for example https://vault:8200/pki")
    if token_file is None:
        raise click.UsageError("--ca-vault needs --ca-vault-token-file")
    return VaultAccess(
        address=f"https://{parts.netloc}", mount=parts.path.strip("/"), token_file=token_file, ca_file=roots
    )


def _spire(server: str | None, socket: str | None) -> "SpireAccess | None":
    from proa.adapters.upstream_authorities.spire import SpireAccess

    if server is None:
        return None
    host, colon, port = server.rpartition(":") if not server.endswith("]") else (server, "", "")
    host, port = (host, port) if colon else (server, "8081")
    path = (socket or "").removeprefix("unix:")
    path = "/" + path.lstrip("/") if path.startswith("//") else path
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise click.BadParameter(
            f"{server!r} is no HOST[:PORT], for example spire:8081", param_hint="--ca-spire"
        )
    if not path.startswith("/"):
        raise click.UsageError(
            "--ca-spire needs --ca-spire-socket (or SPIFFE_ENDPOINT_SOCKET), for example "
            "unix:///run/spire/agent.sock"
        )
    return SpireAccess(socket=Path(path), host=host.strip("[]"), port=int(port))


def _plugged(cert: Path | None, key: Path | None, chain: Path | None) -> "PluggedPaths | None":
    from proa.control_plane.plugged_files import PluggedPaths

    if cert is None and key is None and chain is None:
        return None
    if cert is None or key is None:
        raise click.UsageError("a CA of yours is --ca-cert and --ca-key, and --ca-chain up to its root")
    return PluggedPaths(cert=cert, key=key, chain=chain)

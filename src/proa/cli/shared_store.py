"""The flags of a store that several control planes share. Secrets come in files: everybody can read a command line."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from proa.control_plane.options import SharedStore

F = TypeVar("F", bound=Callable[..., object])


class StoreFiles(NamedTuple):
    """How one is let in; see `EtcdAccess`."""

    ca: Path | None
    cert: Path | None
    key: Path | None
    user: str
    password: Path | None


def store_options(command: F) -> F:
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    options = (
        click.option(
            "--store",
            metavar="URL",
            envvar="PROA_STORE",
            help="Keep everything in etcd://HOST:PORT[,HOST:PORT]/PREFIX (etcds:// is TLS), to share it with other "
            "control planes.  [default: the home]",
        ),
        click.option(
            "--seal-key-file",
            type=file,
            help="With --store: seals the CA's keys there. `openssl rand -base64 32` makes one; every control plane "
            "needs the same.",
        ),
        click.option("--store-ca-file", type=file, help="Verifies etcd.  [default: the system's roots]"),
        click.option("--store-cert-file", type=file, help="Our certificate towards etcd."),
        click.option("--store-key-file", type=file, help="Its key."),
        click.option("--store-user", default="", metavar="NAME", help="Our user of etcd."),
        click.option("--store-password-file", type=file, help="Holds its password."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def shared_store(store: str | None, seal_key: Path | None, files: StoreFiles) -> "SharedStore | None":
    """What the flags say; None without --store. Raises click.UsageError for what does not go together."""
    if store is None:
        if seal_key or any(files):
            raise click.UsageError("--seal-key-file and the --store-... flags go with --store")
        return None
    import msgspec

    from proa.adapters.stores.etcd import BadStoreAddress, parse_store_address
    from proa.control_plane.options import SharedStore

    try:
        access = parse_store_address(store)
    except BadStoreAddress as error:
        raise click.BadParameter(str(error), param_hint="--store") from None
    if seal_key is None:
        raise click.UsageError(
            "--store needs --seal-key-file: the CA's keys are not put into etcd unsealed. "
            "`openssl rand -base64 32 > seal.key; chmod 600 seal.key` makes one for all control planes of the mesh"
        )
    if (files.cert is None) != (files.key is None):
        raise click.UsageError("--store-cert-file and --store-key-file go together")
    if bool(files.user) != (files.password is not None):
        raise click.UsageError("--store-user and --store-password-file go together")
    if (files.ca or files.cert) and not access.is_tls:
        raise click.UsageError("certificates need etcds://")
    access = msgspec.structs.replace(
        access,
        ca_file=files.ca,
        cert_file=files.cert,
        key_file=files.key,
        user=files.user,
        password_file=files.password,
    )
    return SharedStore(access=access, seal_key=seal_key)

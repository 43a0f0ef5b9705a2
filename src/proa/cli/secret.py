"""`proa secret`: certificates that an operator gives to gateways of this host."""

from pathlib import Path

import click

from proa.cli.output import Format, moment, output_option, print_columns, print_value
from proa.cli.surroundings import Failure, Surroundings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
namespace_option = click.option(
    "-n", "--namespace", default="istio-system", show_default=True, help="Namespace of the gateways."
)


@click.group("secret", short_help="Give gateways their certificates.")
def command() -> None:
    """Certificates that Gateway objects call by name (credentialName). They lie in this home, 0600, and never leave
    this host: give them on every host that runs such a gateway. One that is given again is served at once."""


@command.group("create")
def create() -> None:
    """Give a certificate or roots, or other ones of the same name.

    \b
    Example:
      proa secret create tls shop --cert shop.pem --key shop.key
    """


@create.command("tls")
@click.argument("name")
@click.option("--cert", required=True, type=FILE, help="PEM of the certificate, with those above it behind.")
@click.option("--key", required=True, type=FILE, help="PEM of its key.")
@click.option("--ca", type=FILE, help="PEM of whom clients' certificates must be of (MUTUAL).")
@click.option("--crl", type=FILE, help="PEM of what that CA has revoked.")
@namespace_option
@click.pass_obj
def tls(
    surroundings: Surroundings,
    name: str,
    cert: Path,
    key: Path,
    ca: Path | None,
    crl: Path | None,
    namespace: str,
) -> None:
    """Give a server's certificate.

    \b
    Example:
      proa secret create tls shop --cert shop.pem --key shop.key
    """
    _store(surroundings, namespace, name, chain=cert, key=key, roots=ca, crl=crl)


@create.command("ca")
@click.argument("name")
@click.option("--ca", required=True, type=FILE, help="PEM of whom certificates must be of.")
@click.option("--crl", type=FILE, help="PEM of what that CA has revoked.")
@namespace_option
@click.pass_obj
def ca(surroundings: Surroundings, name: str, ca: Path, crl: Path | None, namespace: str) -> None:
    """Give roots alone (caCertCredentialName).

    \b
    Example:
      proa secret create ca partners --ca partners.pem
    """
    _store(surroundings, namespace, name, roots=ca, crl=crl)


def _store(surroundings: Surroundings, namespace: str, name: str, **files: Path | None) -> None:
    import msgspec

    from proa.core.auth.operator_secret import OperatorSecret, secret_faults
    from proa.core.config.labels import is_namespace_name
    from proa.core.model.secret_names import secret_name_fault
    from proa.node.operator_secrets import store_secret

    if fault := secret_name_fault(name):
        raise click.BadParameter(fault, param_hint="NAME")
    if not is_namespace_name(namespace):
        raise click.BadParameter(f"{namespace!r} is no namespace", param_hint="--namespace")
    try:
        parts = {part: file.read_text() for part, file in files.items() if file is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"a file cannot be read: {error}") from None
    secret = msgspec.convert(parts, OperatorSecret)
    faults = secret_faults(secret)
    if faults:
        raise Failure("; ".join(faults))
    try:
        surroundings.home.prepare()
        store_secret(surroundings.home, namespace, name, secret)
    except OSError as error:
        raise Failure(f"it cannot be kept: {error}") from None
    click.echo(f"secret {namespace}/{name} given")


@command.command("list")
@output_option
@click.pass_obj
def show(surroundings: Surroundings, output: Format) -> None:
    """Show which there are, and until when they are good; never a key.

    \b
    Example:
      proa secret list
    """
    from proa.node.operator_secrets import list_secrets

    found = list_secrets(surroundings.home)
    if output != "table":
        print_value(found, output)
        return
    rows = [
        (
            f"{each.namespace}/{each.name}",
            ", ".join(each.holds),
            moment(each.good_until) if each.good_until else "",
            each.fault,
        )
        for each in found
    ]
    print_columns(("NAME", "HOLDS", "GOOD UNTIL", "FAULT"), rows)


@command.command("delete")
@click.argument("name")
@namespace_option
@click.pass_obj
def delete(surroundings: Surroundings, name: str, namespace: str) -> None:
    """Forget a secret. A gateway that serves it goes on until it starts again.

    \b
    Example:
      proa secret delete shop
    """
    from proa.core.model.secret_names import secret_name_fault

    if fault := secret_name_fault(name):
        raise click.BadParameter(fault, param_hint="NAME")
    try:
        surroundings.home.secret_file(namespace, name).unlink()
    except FileNotFoundError:
        raise Failure(f"there is no secret {namespace}/{name}") from None
    except OSError as error:
        raise Failure(f"it cannot be deleted: {error}") from None
    click.echo(f"secret {namespace}/{name} deleted")

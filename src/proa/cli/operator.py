"""`proa certificate issue-operator`: who may use the admin API from another host, by a certificate."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from proa.cli.output import Format, moment, output_option, print_value
from proa.cli.parameters import Duration
from proa.cli.surroundings import Failure, Surroundings

if TYPE_CHECKING:
    from proa.servers.admin.client import AdminClient
    from proa.servers.admin.operations import OperatorCertificate

    Role = Literal["admin", "viewer"]


@click.command("issue-operator")
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "admin"]), default="viewer", show_default=True)
@click.option("--ttl", type=Duration(), default="8h", show_default=True, help="A day at most.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    show_default=True,
    help="Where NAME.pem, NAME.key and NAME.roots.pem are written.",
)
@click.option(
    "--csr",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A request (PEM) that the operator made where his key is; no key is written then.",
)
@output_option
@click.pass_obj
def issue_operator(
    surroundings: Surroundings,
    name: str,
    role: "Role",
    ttl: float,
    directory: Path,
    csr: Path | None,
    output: Format,
) -> None:
    """Make a certificate with which NAME uses the admin API (`proa serve --admin-port`) from another host.

    It is short-lived, and nobody renews it by itself. What he changes is written down under NAME. To take it back
    before its end: `proa certificate revoke SERIAL`.

    \b
    Examples:
      proa certificate issue-operator ann --role admin --ttl 1h
      export PROA_SERVER=https://HOST:15015 PROA_ROOTS_FILE=ann.roots.pem
      export PROA_CERTIFICATE_FILE=ann.pem PROA_KEY_FILE=ann.key
    """
    from proa.core.auth.operators import Operator

    try:
        Operator(name, role)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from None
    with surroundings.control_plane() as client:
        issued, key = _issue(client, surroundings.author, name, role, ttl, csr)
    files = _written(directory, name, issued, key)
    if output != "table":
        print_value({**_named(issued), "files": [str(each) for each in files]}, output)
        return
    click.echo(f"{issued.identity}, serial {issued.serial}, until {moment(issued.not_after)}")
    click.echo(f"written: {', '.join(map(str, files))}")


def _issue(
    client: "AdminClient", author: str, name: str, role: "Role", ttl: float, csr: Path | None
) -> "tuple[OperatorCertificate, str]":
    """With the key's PEM, "" where it is the operator's own."""
    from cryptography.hazmat.primitives.asymmetric import ec

    from proa.core.auth.ca import private_pem
    from proa.core.auth.csr import build_csr
    from proa.core.auth.operators import Operator, operator_id
    from proa.servers.admin.operations import OperatorRequest

    if csr is not None:
        text, key_pem = csr.read_text(), ""
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        identity = operator_id(client.status().trust_domain, Operator(name, role))
        text, key_pem = build_csr(key, identity), private_pem(key)
    request = OperatorRequest(name=name, role=role, csr_pem=text, ttl_s=int(ttl), author=author)
    return client.issue_operator(request), key_pem


def _written(directory: Path, name: str, issued: "OperatorCertificate", key_pem: str) -> tuple[Path, ...]:
    from proa.home import write_private

    texts = {".pem": issued.chain_pem, ".roots.pem": issued.roots_pem}
    if key_pem:
        texts = {".key": key_pem, **texts}
    files: list[Path] = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for ending, text in texts.items():
            file = directory / f"{name}{ending}"
            write_private(file, text)
            files.append(file)
    except OSError as error:
        raise Failure(f"{error.filename or directory} cannot be written: {error.strerror}") from None
    return tuple(files)


def _named(issued: "OperatorCertificate") -> dict[str, object]:
    return {"identity": issued.identity, "serial": issued.serial, "not_after": issued.not_after}

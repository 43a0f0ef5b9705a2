"""`proa certificate`: the identities that workloads and nodes hold now."""

import time
from typing import TYPE_CHECKING

import click

from proa.cli.output import Format, moment, output_option, print_columns, print_value, span
from proa.cli.parameters import WorkloadWord
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from proa.servers.admin.operations import CertificateStatus


@click.group("certificate", short_help="Look at the identities of workloads.")
def command() -> None:
    """Certificates of workloads and nodes. Keys never leave their node and are not shown."""


@command.command("list")
@output_option
@click.pass_obj
def list_all(surroundings: Surroundings, output: Format) -> None:
    """List the current certificate of every workload and node.

    \b
    Example:
      proa certificate list
    """
    with surroundings.control_plane() as client:
        found = client.certificates()
    if output != "table":
        print_value(found, output)
        return
    now = time.time()
    rows = [
        (_holder(each), each.identity, each.serial, span(each.not_after - now)) for each in found.certificates
    ]
    print_columns(("HOLDER", "IDENTITY", "SERIAL", "REMAINING"), rows)


@command.command("show")
@click.argument("workload", type=WorkloadWord())
@output_option
@click.pass_obj
def show(surroundings: Surroundings, workload: str, output: Format) -> None:
    """Show one workload's certificate: identity, names, validity, issuer.

    \b
    Example:
      proa certificate show reviews-v1
    """
    from proa.cli.workloads import one_workload

    with surroundings.control_plane() as client:
        found = client.certificates().certificates
    by_id = {each.workload: each for each in found if each.workload is not None}
    certificate = by_id[one_workload(workload, by_id)]
    if output != "table":
        print_value(certificate, output)
        return
    for name, value in _lines(certificate, time.time()):
        if value:
            click.echo(f"{name:12} {value}")


def _holder(certificate: "CertificateStatus") -> str:
    return str(certificate.workload) if certificate.workload else f"node {certificate.node}"


def _lines(certificate: "CertificateStatus", now: float) -> tuple[tuple[str, str], ...]:
    remaining = certificate.not_after - now
    return (
        ("workload", _holder(certificate)),
        ("identity", certificate.identity),
        ("DNS names", ", ".join(certificate.dns_names)),
        ("serial", certificate.serial),
        ("issuer", certificate.issuer),
        ("valid from", moment(certificate.not_before)),
        ("valid until", moment(certificate.not_after)),
        ("remaining", span(remaining) if remaining > 0 else f"expired {span(-remaining)} ago"),
    )

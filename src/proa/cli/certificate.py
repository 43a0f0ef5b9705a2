"""`proa certificate`: the identities that workloads and nodes hold now, the CA above them, and its rotation."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from proa.cli.operator import issue_operator
from proa.cli.output import Format, moment, output_option, print_columns, print_value, span
from proa.cli.parameters import Duration, WorkloadWord
from proa.cli.root_changes import DIGEST, tell_change
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from proa.servers.admin.authority import Audit, AuthorityStatus, FederationStatus
    from proa.servers.admin.operations import CertificateStatus

_PEM = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
_LARGEST = 1024 * 1024


@click.group("certificate", short_help="Look at the identities of workloads; rotate the CA.")
def command() -> None:
    """Certificates of workloads and nodes, and the CA that signs them. Keys are never shown."""


@command.command("list")
@output_option
@click.pass_obj
def list_all(surroundings: Surroundings, output: Format) -> None:
    """List the trusted roots, what signs now, partners' trust domains, and the current certificate of every workload
    and node.

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
    if found.authority is not None:
        _print_authority(found.authority, now)
        click.echo()
    if found.federated:
        _print_federated(found.federated, now)
        click.echo()
    rows = [
        (_holder(each), each.identity, each.serial, each.root[:DIGEST] or "-", span(each.not_after - now))
        for each in found.certificates
    ]
    print_columns(("HOLDER", "IDENTITY", "SERIAL", "ROOT", "REMAINING"), rows)


@command.command("rotate")
@click.argument("what", type=click.Choice(["root", "intermediate"]))
@click.option(
    "--wait", is_flag=True, help="Return when the old root is trusted no more, and say what is waited for."
)
@click.option("--timeout", type=Duration(), default="10m", show_default=True, help="How long --wait waits.")
@click.pass_obj
def rotate(
    surroundings: Surroundings, what: Literal["root", "intermediate"], wait: bool, timeout: float
) -> None:
    """Replace the CA's root, or the intermediate that signs under it.

    A new intermediate signs at once. A new root is first made known to everybody, signs when all trust it, and the
    old one goes when nobody uses it any more: this goes on by itself, also over restarts.

    \b
    Example:
      proa certificate rotate root --wait
    """
    from proa.servers.admin.authority import RotateRequest

    with surroundings.control_plane() as client:
        status = client.rotate(RotateRequest(what=what, author=surroundings.author))
        if what == "intermediate":
            click.echo(f"{status.signer.subject} signs now")
            return
        tell_change(client, status, timeout if wait else None)


@command.command("plug")
@click.option(
    "--ca-cert",
    type=_PEM,
    required=True,
    help="The CA that is to sign the mesh's leafs: a root, or an intermediate.",
)
@click.option("--ca-key", type=_PEM, required=True, help="Its private key, without a passphrase.")
@click.option("--ca-chain", type=_PEM, help="What leads from an intermediate to its self-signed root.")
@click.option(
    "--wait", is_flag=True, help="Return when the old root is trusted no more, and say what is waited for."
)
@click.option("--timeout", type=Duration(), default="10m", show_default=True, help="How long --wait waits.")
@click.pass_obj
def plug(
    surroundings: Surroundings, ca_cert: Path, ca_key: Path, ca_chain: Path | None, wait: bool, timeout: float
) -> None:
    """Have the mesh's certificates signed by a CA of yours from now on, while everything runs.

    Its root is first made known to everybody, then the CA signs, and the root before goes when nobody uses it any more,
    as with `rotate root`, which also leads back. Under a root that is trusted already the new CA signs at once. The
    control plane keeps the CA, key included, in its own key store: the files are needed no longer.

    \b
    Example:
      proa certificate plug --ca-cert ca-cert.pem --ca-key ca-key.pem --ca-chain root-cert.pem --wait
    """
    from proa.servers.admin.authority import PlugRequest

    request = PlugRequest(
        cert=_text(ca_cert),
        key=_text(ca_key),
        chain=_text(ca_chain) if ca_chain else "",
        author=surroundings.author,
    )
    with surroundings.control_plane() as client:
        before = client.authority()
        status = client.plug(request)
        if status.roots[-1].digest == before.roots[-1].digest:
            click.echo(f"{status.signer.subject} signs now, under the same root")
            return
        tell_change(client, status, timeout if wait else None)


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LARGEST).decode(errors="replace")


@command.command("bundle")
@click.option(
    "--format",
    "form",
    type=click.Choice(["pem", "spiffe"]),
    default="pem",
    show_default=True,
    help="Certificates in PEM, or a SPIFFE bundle document.",
)
@click.pass_obj
def bundle(surroundings: Surroundings, form: Literal["pem", "spiffe"]) -> None:
    """Print the mesh's own trust bundle, for partners who are to believe it.

    The roots change when they are rotated. A partner that follows by itself asks the control plane's bundle endpoint
    instead; its address and SPIFFE id are said on standard error.

    \b
    Examples:
      proa certificate bundle > roots.pem
      proa certificate bundle --format spiffe > bundle.json
    """
    with surroundings.control_plane() as client:
        found = client.bundle()
    click.echo(
        found.pem if form == "pem" else found.document, nl=not found.pem.endswith("\n") or form == "spiffe"
    )
    if found.endpoint:
        click.echo(
            f"bundle endpoint of {found.trust_domain}: {found.endpoint} (https_spiffe, {found.endpoint_id})",
            err=True,
        )


@command.command("audit")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Lines of each kind."
)
@output_option
@click.pass_obj
def audit(surroundings: Surroundings, limit: int, output: Format) -> None:
    """Show what was signed, what was refused, and what became of the CA's keys; the newest first.

    \b
    Example:
      proa certificate audit --limit 20
    """
    with surroundings.control_plane() as client:
        found = client.audit(limit)
    if output != "table":
        print_value(found, output)
        return
    print_columns(("TIME", "WHAT", "SUBJECT", "ASKED BY", "DETAIL"), _audit_rows(found)[:limit])


@command.command("revoke")
@click.argument("what", metavar="SERIAL|SPIFFE-ID|WORKLOAD")
@click.option("--reason", default="", help="Kept with the revocation and in the audit.")
@click.option("--undo", is_flag=True, help="Take a revocation back.")
@output_option
@click.pass_obj
def revoke(surroundings: Surroundings, what: str, reason: str, undo: bool, output: Format) -> None:
    """Refuse a certificate, an identity, a workload or a node before its certificates end.

    Sidecars refuse its next request, also on open connections, and end its raw streams within seconds.

    A certificate's SERIAL: its holder makes another key. A SPIFFE id, or a WORKLOAD (namespace/name): no certificate
    is signed for it, and it serves nobody, until this is undone. A node's id takes all certificates with it that the
    node asked for.

    \b
    Examples:
      proa certificate revoke 5a61b7c0 --reason "laptop lost"
      proa certificate revoke spiffe://cluster.local/ns/default/sa/reviews
      proa certificate revoke spiffe://cluster.local/proa/node/db-1
      proa certificate revoke default/reviews-v1 --undo
      proa certificate revoke spiffe://cluster.local/proa/operator/admin/ann
    """
    from proa.servers.admin.authority import RevokeRequest

    request = RevokeRequest(what=what, reason=reason, author=surroundings.author, restore=undo)
    with surroundings.control_plane() as client:
        done = client.revoke(request).revocations
    if output != "table":
        print_value(done, output)
        return
    for each in done:
        click.echo(f"{each.target} is {'trusted again' if undo else 'revoked'}")


@command.command("revoked")
@output_option
@click.pass_obj
def revoked(surroundings: Surroundings, output: Format) -> None:
    """List the revocations in force, the newest first.

    \b
    Example:
      proa certificate revoked
    """
    with surroundings.control_plane() as client:
        found = client.revocations()
    if output != "table":
        print_value(found, output)
        return
    rows = [
        (
            each.target.kind,
            each.target.value,
            moment(each.time),
            moment(each.ends) if each.ends else "until undone",
            each.author,
            each.reason or "-",
        )
        for each in found.revocations
    ]
    print_columns(("KIND", "WHAT", "SINCE", "UNTIL", "BY", "REASON"), rows)


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
        found = client.certificates()
    by_id = {each.workload: each for each in found.certificates if each.workload is not None}
    certificate = by_id[one_workload(workload, by_id)]
    if output != "table":
        print_value(certificate, output)
        return
    for name, value in (
        *_lines(certificate, time.time()),
        ("believes", _believed(certificate, found.federated)),
    ):
        if value:
            click.echo(f"{name:12} {value}")


command.add_command(issue_operator)


def _print_authority(status: "AuthorityStatus", now: float) -> None:
    rows = [
        (
            each.digest[:DIGEST],
            each.phase,
            each.subject + (" (yours)" if each.is_plugged else ""),
            span(each.not_after - now),
        )
        for each in status.roots
    ]
    print_columns(("ROOT", "PHASE", "SUBJECT", "REMAINING"), rows)
    signer = status.signer
    click.echo(f"signing: {signer.subject}, {span(signer.not_after - now)} left")
    for reason in status.waiting:
        click.echo(f"waiting: {reason}")


def _print_federated(federated: "tuple[FederationStatus, ...]", now: float) -> None:
    """A row for each root of a partner."""
    rows: list[tuple[str, ...]] = []
    for each in federated:
        source = each.endpoint or each.object
        shown = [(root.digest[:DIGEST], span(root.not_after - now)) for root in each.roots]
        for digest, left in shown or [("none: nobody is believed", "-")]:
            rows.append((each.trust_domain, ",".join(each.namespaces), digest, left, source))
    print_columns(("TRUST DOMAIN", "NAMESPACES", "ROOT", "REMAINING", "FROM"), rows)
    for each in federated:
        if each.failing:
            click.echo(f"{each.trust_domain} cannot be refreshed: {each.failing}")


def _believed(certificate: "CertificateStatus", federated: "tuple[FederationStatus, ...]") -> str:
    """The partners whose workloads may call this one, as far as its policies let them."""
    namespace = certificate.workload.namespace if certificate.workload is not None else ""
    return ", ".join(
        each.trust_domain
        for each in federated
        if each.roots and (namespace in each.namespaces or "*" in each.namespaces)
    )


def _audit_rows(found: "Audit") -> list[tuple[str, str, str, str, str]]:
    rows = [
        (each.time, "signed", each.identity, each.asked_by, f"serial {each.serial}")
        for each in found.issuances
    ]
    rows += [(each.time, each.kind, each.subject, each.asked_by, each.detail) for each in found.events]
    return [(moment(row[0]), *row[1:]) for row in sorted(rows, reverse=True)]


def _holder(certificate: "CertificateStatus") -> str:
    if certificate.workload:
        return str(certificate.workload)
    return f"operator {certificate.operator}" if certificate.operator else f"node {certificate.node}"


def _lines(certificate: "CertificateStatus", now: float) -> tuple[tuple[str, str], ...]:
    remaining = certificate.not_after - now
    return (
        ("workload", _holder(certificate)),
        ("identity", certificate.identity),
        ("DNS names", ", ".join(certificate.dns_names)),
        ("serial", certificate.serial),
        ("issuer", certificate.issuer),
        ("root", certificate.root),
        ("valid from", moment(certificate.not_before)),
        ("valid until", moment(certificate.not_after)),
        ("remaining", span(remaining) if remaining > 0 else f"expired {span(-remaining)} ago"),
    )

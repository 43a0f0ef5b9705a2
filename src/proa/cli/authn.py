"""`proa authn`: who must show what to whom. Files alone need no mesh."""

from typing import TYPE_CHECKING

import click

from proa.cli.output import Format, output_option, print_page, print_value
from proa.cli.parameters import files_options, namespace_option
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from proa.core.pilot.explain.peers import PeerQuestion, PeerReport

NOBODY = "-"
SPIFFE = "spiffe://"


@click.group("authn", short_help="Tell what two workloads speak with each other, and who decides it.")
def command() -> None:
    """Authentication: who must show what to whom."""


@command.command("check", short_help="Tell what two workloads speak with each other, and who decides it.")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST[:PORT]")
@files_options(required=False)
@namespace_option("Namespace of what names none.")
@output_option
@click.pass_context
def check(
    context: click.Context,
    source: str,
    destination: str,
    named: tuple[str, ...],
    more: tuple[str, ...],
    namespace: str,
    output: Format,
) -> None:
    """Tell what SRC sends to each port of the service DST, what its servers take, and what comes of it: plaintext,
    mutual TLS, a program's own TLS, or a refusal. Below each row stand the objects that decide at both ends, what
    the servers refuse, and whether a change is still on its way. SRC is a workload, - for a program without a
    proxy, or the SPIFFE id of a workload of another trust domain.

    Without files the mesh is asked for what is in force now. With -f the files alone count: workloads are
    WorkloadEntries then, and a service of which no file tells is taken for one whose workloads have its name as
    the label app. The exit code is 1 when something is refused.

    \b
    Examples:
      proa authn check productpage reviews
      proa authn check - reviews:9080
      proa authn check spiffe://partner.example/ns/shop/sa/cart reviews:9080
      proa authn check productpage reviews.shop:9080 -f config/
    """
    from proa.core.pilot.explain.peers import PeerQuestion

    host, colon, port = destination.rpartition(":")
    if colon and not (port.isdecimal() and host and 0 < int(port) < 65536):
        raise click.UsageError(f"{destination} is not DST or DST:PORT")
    question = PeerQuestion(
        destination=host if colon else destination, port=int(port) if colon else 0, namespace=namespace
    )
    if named or more:
        found = _of_files(question, source, (named, more))
    else:
        found = _of_mesh(context.ensure_object(Surroundings), question, source)
    _print(found, output)
    context.exit(0 if found.is_fine else 1)


def _of_mesh(surroundings: Surroundings, question: "PeerQuestion", source: str) -> "PeerReport":
    import msgspec

    from proa.cli.workloads import one_workload

    with surroundings.control_plane() as client:
        if source.startswith(SPIFFE):
            question = msgspec.structs.replace(question, identity=source)
        elif source != NOBODY:
            known = one_workload(source, [each.id for each in client.proxies().proxies])
            question = msgspec.structs.replace(question, source=known)
        return client.peers(question)


def _of_files(
    question: "PeerQuestion", source: str, files: tuple[tuple[str, ...], tuple[str, ...]]
) -> "PeerReport":
    import msgspec

    from proa.cli.paper import paper_mesh

    remark = ""
    with paper_mesh(files, question.namespace) as mesh:
        if source.startswith(SPIFFE):
            question = msgspec.structs.replace(question, identity=source)
        elif source != NOBODY:
            workload, remark = mesh.workload(source, question.namespace)
            question = msgspec.structs.replace(question, source=workload)
        found = mesh.check_peers(question)
    return msgspec.structs.replace(found, remarks=(*found.remarks, *([remark] if remark else [])))


def _print(report: "PeerReport", output: Format) -> None:
    if output != "table":
        print_value(report, output)
        return
    from proa.core.pilot.explain.peers_page import draw_peers

    print_page(draw_peers(report))

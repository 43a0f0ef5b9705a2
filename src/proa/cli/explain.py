"""`proa explain`: what becomes of a request, hop by hop, and who is responsible. Files alone need no mesh."""

from typing import TYPE_CHECKING

import click

from proa.cli.output import Format, output_option, print_page, print_value
from proa.cli.parameters import WorkloadWord, files_options, namespace_option
from proa.cli.surroundings import Failure, Surroundings

if TYPE_CHECKING:
    from proa.core.model.names import WorkloadId
    from proa.core.pilot.explain.story import Explanation, Question


@click.command("explain", short_help="Tell what becomes of a request, hop by hop, and why.")
@click.argument("method", default="")
@click.argument("url", default="")
@click.option("--from", "source", type=WorkloadWord(), metavar="WORKLOAD", help="Whose request it is.")
@click.option("--via", "gateway", metavar="GATEWAY", help="A stranger's request that comes to this gateway.")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="May be repeated.")
@click.option("--sni", default="", metavar="NAME", help="The name asked for in TLS, if not the URL's.")
@click.option("--tcp", default="", metavar="HOST:PORT", help="A stream of bytes in place of a request.")
@files_options(required=False)
@namespace_option("Namespace of what names none.")
@output_option
@click.pass_context
def command(
    context: click.Context,
    method: str,
    url: str,
    source: str | None,
    gateway: str | None,
    headers: tuple[str, ...],
    sni: str,
    tcp: str,
    named: tuple[str, ...],
    more: tuple[str, ...],
    namespace: str,
    output: Format,
) -> None:
    """Follow a request through the mesh without sending it: listener, route, cluster and endpoints of the caller's
    sidecar, then what the server's sidecar makes of it. Each step names the object that is responsible, and where
    nothing is found, what was near.

    Without files the mesh is asked for what its proxies are offered, and whether they have taken it. With -f the
    files alone count: workloads are WorkloadEntries then, --from names one or says labels (app=a,version=v1), and
    --via names a Gateway. The exit code is 1 when some of the requests would fail.

    \b
    Examples:
      proa explain GET http://reviews:9080/ --from productpage -H 'end-user: jason'
      proa explain GET http://shop.example.com/ --via ingressgateway
      proa explain --tcp redis:6379 --from cart
      proa explain GET http://reviews:9080/ --from app=productpage -f config/
    """
    if bool(source) == bool(gateway):
        raise click.UsageError("say whose request it is: --from WORKLOAD, or --via GATEWAY for a stranger's")
    if bool(tcp) == bool(method or url) or bool(method) != bool(url):
        raise click.UsageError("say what is asked: METHOD and URL, or --tcp HOST:PORT")
    from proa.core.pilot.explain.story import Question

    question = Question(method=method or "GET", url=url, headers=_headers(headers), tcp=tcp, sni=sni)
    if named or more:
        found = _from_files(question, source, gateway, (named, more), namespace)
    else:
        found = _from_mesh(context.ensure_object(Surroundings), question, source, gateway)
    _print(found, output)
    context.exit(0 if found.arrives else 1)


def _headers(words: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = [word.partition(":") for word in words]
    for (name, colon, _), word in zip(pairs, words, strict=True):
        if not colon or not name.strip():
            raise click.UsageError(f"{word!r} is no header: write 'name: value'")
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)


def _from_mesh(
    surroundings: Surroundings, question: "Question", source: str | None, gateway: str | None
) -> "Explanation":
    import msgspec

    with surroundings.control_plane() as client:
        proxies = client.proxies().proxies
        callers = [each.id for each in proxies if each.kind != "gateway"]
        gateways = [each.id for each in proxies if each.kind == "gateway"]
        chosen = msgspec.structs.replace(
            question,
            source=_known(source, callers, "workload", gateways) if source else None,
            gateway=_known(gateway, gateways, "gateway") if gateway else None,
        )
        return client.explain(chosen)


def _known(
    word: str, ids: "list[WorkloadId]", what: str, gateways: "list[WorkloadId] | None" = None
) -> "WorkloadId":
    """Of a word that names one of `gateways` it is said how they are asked about."""
    from proa.cli.workloads import one_workload
    from proa.core.config.near_names import suggestion

    try:
        return one_workload(word, ids)
    except Failure as failure:
        if any(word in (each.name, str(each)) for each in gateways or ()):
            message = "it calls nobody of its own accord: strangers' requests come --via it"
            raise Failure(f"{word} is a gateway", message) from None
        near = suggestion(word, [*(each.name for each in ids), *map(str, ids)])
        if not near:
            raise
        raise Failure(f"there is no {what} {word}{near}", failure.todo) from None


def _from_files(
    question: "Question",
    source: str | None,
    gateway: str | None,
    files: tuple[tuple[str, ...], tuple[str, ...]],
    namespace: str,
) -> "Explanation":
    import msgspec

    from proa.cli.paper import paper_mesh

    remark = ""
    with paper_mesh(files, namespace) as mesh:
        if gateway:
            chosen = msgspec.structs.replace(question, gateway=mesh.gateway(gateway, namespace))
        else:
            workload, remark = mesh.workload(source or "", namespace)
            chosen = msgspec.structs.replace(question, source=workload)
        found = mesh.explain(chosen)
    return msgspec.structs.replace(found, remarks=(*found.remarks, *([remark] if remark else [])))


def _print(explanation: "Explanation", output: Format) -> None:
    if output != "table":
        print_value(explanation, output)
        return
    from proa.core.pilot.explain.page import draw

    print_page(draw(explanation))

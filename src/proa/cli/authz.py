"""`proa authz`: what authorization policies say of one request. Files alone need no mesh."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from proa.cli.output import Format, as_json, output_option, print_value
from proa.cli.parameters import files_options, namespace_option, read_headers, read_pairs
from proa.cli.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from immutables import Map

    from proa.core.auth.authorization.evaluate import Decision
    from proa.core.auth.authorization.reading import TrustDomains
    from proa.core.auth.authorization.request import Caller, Request
    from proa.core.auth.authorization.values import Policy
    from proa.core.config import Config
    from proa.core.model.settings import MeshSettings

NOBODY = "nobody"


@click.group("authz", short_help="Ask what policies say of a request.")
def command() -> None:
    """Authorization: who may do what."""


@command.command("check")
@click.argument("method", metavar="METHOD")
@click.argument("url", metavar="URL")
@click.option(
    "--from", "caller", required=True, help="[NAMESPACE/]WORKLOAD, a SPIFFE id, or nobody: plain text."
)
@click.option("--to", "server", required=True, help="The [NAMESPACE/]WORKLOAD that serves.")
@click.option(
    "-H", "--header", "headers", multiple=True, callback=read_headers, help="NAME:VALUE, more than once."
)
@click.option(
    "--claim", "claims", multiple=True, callback=read_pairs, help="NAME=VALUE of a token that was verified."
)
@click.option("--to-label", "labels", multiple=True, callback=read_pairs, help="NAME=VALUE of the server.")
@click.option("--source-ip", default="", help="Where the caller is.")
@click.option(
    "--tcp", "is_stream", is_flag=True, help="A raw stream: METHOD and the URL's path do not count."
)
@files_options(required=False)
@namespace_option("Namespace of objects and workloads that name none.")
@output_option
@click.pass_context
def check(
    context: click.Context,
    method: str,
    url: str,
    caller: str,
    server: str,
    headers: tuple[tuple[str, str], ...],
    claims: dict[str, str],
    labels: dict[str, str],
    source_ip: str,
    is_stream: bool,
    named: tuple[str, ...],
    more: tuple[str, ...],
    namespace: str,
    output: Format,
) -> None:
    """Say whether a request is allowed, and by which rule. With files only they are asked; a server's labels are
    then app=WORKLOAD and those of --to-label. Without files the policies in force are asked, and workloads are those
    of the mesh. The exit code is 1 when the request is denied.

    \b
    Examples:
      proa authz check --from caller --to web GET http://web:8080/items
      proa authz check -f policies/ --from shop/cart --to reviews DELETE http://reviews:9080/reviews/7 -H "x-team: red"
    """
    from immutables import Map

    from proa.core.auth.authorization.evaluate import Decision, evaluate
    from proa.core.auth.authorization.request import Request
    from proa.core.model.names import parse_workload_id
    from proa.core.model.paths import READ_TWICE, is_read_twice
    from proa.core.pilot.simulate.reception import path_in_mode

    configs, workloads = _configs(context, named, more, namespace)
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not named and not more:
        server = _known(server, workloads)
        caller = caller if caller == NOBODY or caller.startswith("spiffe://") else _known(caller, workloads)
    target = parse_workload_id(server if "/" in server else f"{namespace}/{server}")
    known = workloads.get(str(target), (target.name, Map({"app": target.name})))
    settings = _settings(configs)
    labels_worn = known[1].update(labels)
    policies = _policies(
        configs, workloads, str(target), known[0], labels_worn, parts.hostname or "", settings
    )
    request = Request(
        caller=_caller(caller, namespace, workloads, source_ip),
        ports=(port,),
        is_stream=is_stream,
        method=method.upper(),
        authority=parts.netloc,
        path=path_in_mode(
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), settings.handling.paths
        ),
        headers=headers,
        claims=Map(claims),
        own_domains=_domains(settings).names,
    )
    decision = _judged(configs, target.namespace, policies, request) or evaluate(policies, request)
    if not is_stream and settings.handling.paths != "NONE" and is_read_twice(request.path):
        decision = Decision(outcome="denied", rules=(READ_TWICE,))
    if output == "table":
        _print(decision, policies)
    else:
        print_value(decision, output)
    context.exit(1 if decision.final.outcome == "denied" else 0)


def _configs(
    context: click.Context, named: tuple[str, ...], more: tuple[str, ...], namespace: str
) -> "tuple[list[Config], dict[str, tuple[str, Map[str, str]]]]":
    """Objects, and workloads by `namespace/name`: their accounts and labels."""
    from immutables import Map

    from proa.cli.paper import valid_batch
    from proa.core.config import Document, examine
    from proa.core.config.yaml_reader import NO_MARKS
    from proa.servers.admin.operations import ObjectQuery

    if named or more:
        return [written.config for written in valid_batch((named, more), namespace).objects], {}
    with context.ensure_object(Surroundings).control_plane() as client:
        stored = client.objects(ObjectQuery()).objects
        statuses = client.services().services
        holders = client.certificates().certificates
    configs: list[Config] = []
    for each in stored:
        manifest = as_json(each.manifest)
        assert isinstance(manifest, dict)
        examined = examine(Document(file=each.file, line=each.line, value=manifest, marks=NO_MARKS))
        configs += [examined.config] if examined.config is not None else []
    # Who serves nothing, a client or a gateway, is told by the certificate alone.
    served = {each.workload: each for status in statuses for each in status.endpoints if each.workload}
    accounts = {name: each.account for name, each in served.items()}
    accounts |= {str(each.workload): each.identity for each in holders if each.workload}
    return configs, {
        name: (_account(account), served[name].labels if name in served else Map())
        for name, account in accounts.items()
    }


def _known(word: str, workloads: "Mapping[str, object]") -> str:
    from proa.cli.workloads import one_workload
    from proa.core.model.names import parse_workload_id

    return str(one_workload(word, map(parse_workload_id, workloads)))


def _account(account: str) -> str:
    return account.rpartition("/")[2]


def _caller(
    name: str, namespace: str, workloads: "dict[str, tuple[str, Map[str, str]]]", address: str
) -> "Caller":
    from proa.core.auth.authorization.request import Caller
    from proa.core.model.names import DEFAULT_TRUST_DOMAIN, parse_workload_id

    if name == NOBODY:
        return Caller(address=address)
    if name.startswith("spiffe://"):
        return Caller(principal=name.removeprefix("spiffe://"), address=address)
    workload = parse_workload_id(name if "/" in name else f"{namespace}/{name}")
    account = workloads[str(workload)][0] if str(workload) in workloads else workload.name
    principal = f"{DEFAULT_TRUST_DOMAIN}/ns/{workload.namespace}/sa/{account}"
    return Caller(principal=principal, workload=f"{workload.name}.{workload.namespace}", address=address)


def _settings(configs: "list[Config]") -> "MeshSettings":
    from proa.core.config.kinds.mesh_config.schema import MeshConfig
    from proa.core.model.settings import MeshSettings
    from proa.core.pilot.registry.mesh_config import settings_of

    specs = [config.spec for config in configs if isinstance(config.spec, MeshConfig)]
    return settings_of(MeshSettings(), specs[0]) if specs else MeshSettings()


def _policies(
    configs: "list[Config]",
    workloads: "dict[str, tuple[str, Map[str, str]]]",
    workload: str,
    account: str,
    labels: "Map[str, str]",
    host: str,
    settings: "MeshSettings",
) -> "tuple[Policy, ...]":
    """As the control plane would have them."""
    from proa.core.auth.authorization.custom import obeyable
    from proa.core.auth.authorization.in_force import selecting
    from proa.core.auth.authorization.reading import read_policy
    from proa.core.auth.authorization.roles import Server, matches, read_roles
    from proa.core.auth.authorization.values import Value
    from proa.core.model.names import DEFAULT_TRUST_DOMAIN, expand_host, parse_workload_id

    target = parse_workload_id(workload)
    domains = _domains(settings)
    found = selecting(configs, target.namespace, labels, settings.root_namespace)

    def wearing(key: str, value: Value) -> tuple[str, ...]:
        return tuple(
            ".".join(reversed(name.split("/")))
            for name, (_, worn) in workloads.items()
            if key in worn and matches(worn[key], value)
        )

    served = Server(
        service=expand_host(host, target.namespace),
        workload=target.name,
        namespace=target.namespace,
        principal=f"{DEFAULT_TRUST_DOMAIN}/ns/{target.namespace}/sa/{account}",
        labels=labels,
    )
    roles = read_roles(configs, served, domains, wearing)
    policies = (*(read_policy(config, domains) for config in found), *roles)
    return obeyable(policies, settings.check_providers).policies


def _closed_by(policies: "tuple[Policy, ...]") -> str:
    """Why what no rule lets in is refused."""
    switch = next((policy.ref for policy in policies if policy.ref.kind.endswith("RbacConfig")), None)
    if switch is not None:
        return f"{switch} is on for this service, and no role lets it in"
    return "there are ALLOW policies, and none of their rules matches"


def _domains(settings: "MeshSettings") -> "TrustDomains":
    from proa.core.auth.authorization.reading import TrustDomains

    return TrustDomains(own=settings.trust_domain, aliases=settings.trust_domain_aliases)


def _judged(
    configs: "list[Config]", namespace: str, policies: "tuple[Policy, ...]", request: "Request"
) -> "Decision | None":
    """What becomes of a caller of another trust domain before any policy is asked; None: policies are."""
    from proa.core.auth.authorization.evaluate import Decision
    from proa.core.auth.federation import accepted, federations, judge, named, refusal

    if not request.caller.principal:
        return None
    partners = named(policies, accepted(federations(configs, request.own_domains), namespace))
    refused = refusal(judge(request.caller.principal, request.own_domains, partners))
    return Decision(outcome="denied", rules=(refused,)) if refused else None


def _print(decision: "Decision", policies: "tuple[Policy, ...]") -> None:
    from proa.core.auth.authorization.values import NO_RULE
    from proa.core.auth.federation import STRANGER, UNNAMED

    if decision.outcome == "asked":
        rules = ", ".join(decision.rules)
        click.echo(f"asked: the program {decision.provider} decides, by {rules}; if it says yes:")
    final = decision.final
    by = f"by {', '.join(final.rules)}"
    if final.rules == (NO_RULE,):
        by = _closed_by(policies)
    elif final.rules == (STRANGER,):
        by = "the caller is no workload of a trust domain that is accepted in this namespace"
    elif final.rules == (UNNAMED,):
        by = "the caller is of another trust domain, and no ALLOW policy names it"
    elif not final.rules:
        by = "no policy says anything of it"
    colour = "red" if final.outcome == "denied" else "green"
    click.echo(f"{click.style(final.outcome, fg=colour)}: {by}")
    for what, shadow in (("DENY", final.dry_deny), ("ALLOW", final.dry_allow)):
        if shadow is not None:
            verdict = "allows" if shadow.allows else "denies"
            click.echo(
                f"dry run of {what}: {verdict}{' by ' if shadow.rules else ''}{', '.join(shadow.rules)}"
            )
    if final.audited:
        click.echo(f"audited by {', '.join(final.audited)}")

"""The messages of `proa analyze`: their codes, which never change, and what to do. docs/messages.md is made of this.

Where Istio's analyzers have a message for the same thing, its code stands beside ours, and suppresses it as well.
"""

from typing import Final

from proa.core.config.analyze.code import Code
from proa.core.config.analyze.mixer_codes import MIXER

CODES: Final[dict[str, Code]] = {
    "host-missing": Code(
        "error",
        "IST0101",
        "A rule names a host that nobody has",
        "Requests that follow the rule are answered with 503, connections are closed.",
        "Mend the name; a short one is of the rule's own namespace. For a host outside the mesh write a ServiceEntry.",
    ),
    "subset-missing": Code(
        "error",
        "IST0101",
        "A rule names a subset that no DestinationRule has",
        "There is nowhere to send the requests to.",
        "Add the subset to a DestinationRule of the host, or mend its name.",
    ),
    "subset-selects-nothing": Code(
        "warning",
        "IST0173",
        "A subset's labels are of no endpoint",
        "Requests for the subset are answered with 503 until an instance has the labels.",
        "Compare the labels with those that the instances were started with.",
    ),
    "port-missing": Code(
        "error",
        "",
        "A rule names a port that the host has not",
        "There is nowhere to send the requests to.",
        "Write one of the service's ports, not the program's own.",
    ),
    "port-needed": Code(
        "warning",
        "IST0112",
        "A rule names no port of a host that has several",
        "Which port is meant depends on the one that the client called, and at a gateway on that of the gateway.",
        "Write the port of the destination.",
    ),
    "protocol-mismatch": Code(
        "warning",
        "",
        "A rule for requests is for a port without requests",
        "The port carries a stream of bytes or TLS that the proxy cannot read; the rule never acts there.",
        "Set the port's protocol to HTTP, HTTP2 or GRPC, or write a rule under tcp or tls.",
    ),
    "rule-unreachable": Code(
        "warning",
        "IST0130",
        "An earlier rule takes all that this rule is for",
        "Rules are tried in their order, and the first that matches counts.",
        "Move the narrower rule before the wider one, or remove it.",
    ),
    "match-ineffective": Code(
        "info",
        "IST0131",
        "An earlier rule takes all that this match is for",
        "The other matches of the rule still count.",
        "Remove the match, or move its rule forward.",
    ),
    "weights-odd": Code(
        "info",
        "",
        "The weights of a rule do not sum to 100",
        "Weights are shares of their sum, so they need not be percents; a sum near 100 is often a slip.",
        "Check the numbers; write percents if you mean percents.",
    ),
    "delegate-missing": Code(
        "error",
        "IST0101",
        "A rule hands on to a VirtualService that cannot take it",
        "It is not there, has hosts of its own, or is not exported to the namespace of the rule, which is left out.",
        "Mend the name, or the delegate: it has no hosts, and exports itself to the rule's namespace.",
    ),
    "delegate-conflict": Code(
        "warning",
        "",
        "A delegate's rule is not within the conditions that are handed on to it",
        "The rule is left out there, as in Istio: each of its matches must be within one of the root's.",
        "Narrow the delegate's match, or remove it: without one it has the root's.",
    ),
    "delegate-unused": Code(
        "warning",
        "",
        "Nothing hands on to a VirtualService without hosts",
        "Its rules are nowhere in force.",
        "Add hosts, or a rule with `delegate` in another VirtualService.",
    ),
    "hosts-conflict": Code(
        "error",
        "IST0109",
        "Several VirtualServices are for one host",
        "For a sidecar one of them counts and the others do nothing. (At gateways their rules are joined.)",
        "Put all rules of a host into one object.",
    ),
    "destination-rules-overlap": Code(
        "warning",
        "",
        "Several DestinationRules of a namespace are for one host",
        "Their subsets are joined; of two policies, and of two subsets with one name, the first by name counts.",
        "Put them into one object, or give the subsets names of their own.",
    ),
    "host-declared-twice": Code(
        "warning",
        "",
        "Two namespaces declare one host",
        "The ports and endpoints of one of them count, for all who see both.",
        "Keep one, or export each to its own namespace alone.",
    ),
    "gateway-missing": Code(
        "error",
        "IST0101",
        "A rule is for a gateway that nobody has",
        "The rule is nowhere in force there.",
        "Mend the name; without a namespace before it, it is of the rule's own.",
    ),
    "host-not-at-gateway": Code(
        "warning",
        "IST0132",
        "A gateway takes no requests for a rule's host",
        "No server of the gateway lists the host for the rule's namespace, so the rule is not in force there.",
        "Add the host to a server of the Gateway, or mend it in the rule.",
    ),
    "gateway-unused": Code(
        "info",
        "",
        "No rule is for a gateway",
        "Whoever calls it is answered with 404.",
        "Write a VirtualService that names the gateway, or remove it.",
    ),
    "gateways-conflict": Code(
        "error",
        "IST0145",
        "Two Gateways take one host at one port of the same proxies",
        "One of them counts.",
        "Put the host into one of them.",
    ),
    "gateway-selects-nothing": Code(
        "warning",
        "IST0101",
        "There is no gateway that could serve a Gateway",
        "A Gateway opens nothing by itself: a gateway proxy must run that has its labels.",
        "Start one with `proa gateway`.",
    ),
    "certificate-shared": Code(
        "warning",
        "IST0138",
        "Two Gateways of the same proxies show one certificate",
        "Browsers use one HTTP/2 connection for all hosts of a certificate, and meet 404 on the other Gateway.",
        "Put the hosts into one Gateway, or use certificates of their own.",
    ),
    "secret-missing": Code(
        "warning",
        "IST0101",
        "A Gateway names a secret that is not kept on this host",
        "The server's port is closed until the secret is there. Gateways on other hosts have secrets of their own.",
        "Put it in with `proa secret`, on the host of the gateway.",
    ),
    "destination-unseen": Code(
        "error",
        "",
        "Nobody who sees a rule sees its destination",
        "The two objects' exportTo have no namespace in common; the requests are answered with 503.",
        "Widen exportTo of the destination, or of the rule.",
    ),
    "rule-unseen": Code(
        "warning",
        "",
        "No proxy sees an object",
        "By its exportTo it is for namespaces in which nothing runs, or which do not see the host it is about.",
        "Widen its exportTo.",
    ),
    "selector-matches-nothing": Code(
        "warning",
        "IST0127",
        "No workload has the labels of a selector",
        "The object does nothing until one starts that has them.",
        "Compare the labels with those that the workloads were started with.",
    ),
    "selectors-conflict": Code(
        "error",
        "IST0110, IST0159",
        "Two objects of a kind select the same workloads",
        "One of them counts.",
        "Join them, or make the selectors differ.",
    ),
    "defaults-conflict": Code(
        "error",
        "IST0111, IST0160",
        "Two objects of a kind are for a whole namespace",
        "One of them counts.",
        "Keep one, and give the other a selector.",
    ),
    "mtls-conflict": Code(
        "error",
        "IST0113",
        "Clients and servers disagree about mutual TLS",
        "A DestinationRule makes clients speak what a PeerAuthentication makes the servers refuse.",
        "Remove tls from the DestinationRule: within the mesh both ends agree by themselves.",
    ),
    "role-missing": Code(
        "error",
        "",
        "A ServiceRoleBinding names a role that is not there",
        "It lets nobody in.",
        "Mend the name; the role has to lie in the binding's own namespace.",
    ),
    "role-unbound": Code(
        "info",
        "",
        "Nobody has a ServiceRole",
        "It lets nobody in.",
        "Write a ServiceRoleBinding that names it, or remove the role.",
    ),
    "roles-unasked": Code(
        "warning",
        "",
        "There are roles where no RbacConfig is on",
        "Everything passes, whatever the roles say: they are asked for only where an RbacConfig says so.",
        "Apply an RbacConfig named default whose mode is on for the namespace or its services.",
    ),
    "patch-relative": Code(
        "warning",
        "IST0151",
        "An EnvoyFilter without priority changes what another may have made",
        "Its patch stands in relation to a filter that need not be there when it is applied.",
        "Write a priority, or INSERT_FIRST or ADD.",
    ),
    "patch-cannot-replace": Code(
        "error",
        "IST0152",
        "REPLACE is for HTTP and network filters alone",
        "The patch changes nothing.",
        "Use MERGE, or REMOVE and ADD.",
    ),
    "patch-cannot-add": Code(
        "error",
        "IST0153",
        "ADD is not for route configurations and routes",
        "The patch changes nothing.",
        "Use INSERT_FIRST, INSERT_BEFORE or INSERT_AFTER.",
    ),
    "patch-cannot-remove": Code(
        "error",
        "IST0154",
        "REMOVE is not for route configurations and routes",
        "The patch changes nothing.",
        "Change the VirtualService that the route is made of.",
    ),
    "trust-domain-twice": Code(
        "error",
        "",
        "Two objects are for one trust domain",
        "The older one counts, with its bundle and its namespaces; the other does nothing.",
        "Write all namespaces and the bundle into one FederatedTrustDomain.",
    ),
    "federation-namespace-empty": Code(
        "info",
        "",
        "A trust domain is accepted in a namespace in which nothing runs",
        "Nobody believes that domain because of it. It may be a slip, or ahead of its time.",
        "Mend the name, or leave it until something runs there.",
    ),
    "patch-relative-to-version": Code(
        "warning",
        "IST0155",
        "A relative patch without priority is for one version of proxies",
        "Around an upgrade it may not be applied.",
        "Write a priority, or INSERT_FIRST or ADD.",
    ),
    **MIXER,
}


def page() -> str:
    """docs/messages.md."""
    lines = [
        "# What `proa analyze` tells",
        "",
        "Made from the table of codes; a test keeps this page complete. What is wrong with one object by itself has",
        "codes of its own, printed in the same way by `proa validate`. An object that carries the annotation",
        "`galley.istio.io/analyze-suppress` with a list of codes (ours or Istio's, or `*`) is not told of.",
        "",
    ]
    for name, code in sorted(CODES.items()):
        istio = f", Istio's {code.istio}" if code.istio else ""
        lines += [
            f"## {name}",
            "",
            f"*{code.level}{istio}*: {code.title}.",
            "",
            code.means,
            "",
            f"**What to do.** {code.todo}",
            "",
        ]
    return "\n".join(lines)

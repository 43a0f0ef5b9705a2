"""Names that several parts must spell alike: objects, hosts, clusters, SNI.

The spellings are Istio's (EnvoyFilters, SNI gateways and dashboards depend on them). Pure string work; nothing
here knows whether the named thing exists.
"""

import msgspec

DEFAULT_NAMESPACE = "default"
ROOT_NAMESPACE = "istio-system"
DEFAULT_TRUST_DOMAIN = "cluster.local"
DOMAIN_SUFFIX = "svc.cluster.local"


class ObjectRef(msgspec.Struct, frozen=True, order=True):
    """A configuration object's name. Written `Kind/namespace/name`."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


def object_kind(api_version: str, kind: str) -> str:
    """The kind in an object's name. Of the two Gateways Kubernetes' own bears its group, as for kubectl."""
    group = api_version.rpartition("/")[0]
    return f"{kind}.{group}" if (group, kind) == ("gateway.networking.k8s.io", "Gateway") else kind


class WorkloadId(msgspec.Struct, frozen=True, order=True):
    """A workload's name in the mesh, unique over all nodes. Written `namespace/name`."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def parse_object_ref(text: str) -> ObjectRef:
    """Inverse of str(ObjectRef). Raises ValueError when the text has not three parts."""
    kind, namespace, name = text.split("/")
    return ObjectRef(kind, namespace, name)


def parse_workload_id(text: str) -> WorkloadId:
    """Inverse of str(WorkloadId); a bare name is taken to be in the default namespace."""
    namespace, slash, name = text.partition("/")
    return WorkloadId(namespace, name) if slash else WorkloadId(DEFAULT_NAMESPACE, namespace)


def service_hostname(name: str, namespace: str) -> str:
    """`reviews`, `default` -> `reviews.default.svc.cluster.local`."""
    return f"{name}.{namespace}.{DOMAIN_SUFFIX}"


def expand_host(host: str, namespace: str) -> str:
    """A short name in a rule means a service of the rule's own namespace; a dotted or wildcard one is itself.

    In lower case: to Envoy names that differ in case are one, and two of one name make a configuration void.
    """
    full = host if "." in host or host.startswith("*") else service_hostname(host, namespace)
    return full.lower()


def cluster_name(direction: str, port: int, subset: str, host: str) -> str:
    """`outbound|9080|v1|reviews.default.svc.cluster.local`."""
    return f"{direction}|{port}|{subset}|{host}"


def parse_cluster_name(name: str) -> tuple[str, int, str, str]:
    """Inverse of cluster_name. Raises ValueError for a cluster of another kind."""
    direction, port, subset, host = name.split("|")
    return direction, int(port), subset, host


def mesh_sni(port: int, subset: str, host: str) -> str:
    """The SNI a sidecar sends to a sidecar: `outbound_.9080_.v1_.host`."""
    return f"outbound_.{port}_.{subset}_.{host}"


def virtual_host_name(host: str, port: int) -> str:
    """`reviews.default.svc.cluster.local:9080`."""
    return f"{host}:{port}"


def short_names(host: str, client_namespace: str) -> tuple[str, ...]:
    """Every spelling by which a client of `client_namespace` may call the host, the full one first.

    `reviews.default.svc.cluster.local` from `default`: itself, `reviews`, `reviews.default`, `reviews.default.svc`.
    From another namespace the bare name is left out. Hosts outside the mesh's suffix have one spelling.
    """
    if not host.endswith("." + DOMAIN_SUFFIX) or host.startswith("*"):
        return (host,)
    stem = host[: -len(DOMAIN_SUFFIX) - 1]
    name, _, namespace = stem.partition(".")
    if not namespace or "." in namespace:
        return (host,)
    bare = (name,) if namespace == client_namespace else ()
    return (host, *bare, f"{name}.{namespace}", f"{name}.{namespace}.svc")

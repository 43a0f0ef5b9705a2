"""Old spellings of objects into the form that the schemas read, before anything is read. `document` is the caller.

What is respelled: `type: route-rule` of 2017 with the name beside it, snake_case fields (2018 took protobuf's names
too),
`tags` for labels and services as plain text; v1beta1 of Kubernetes Ingress; and what networking.istio.io/v1alpha3 was
called in its first months (`name` for `host`, settings under `outlierDetection.http`, `appendHeaders`).

`moved` remembers where each thing was written, so problems are told with the user's own words and lines. A document of
today costs a look at its first words.
"""

import re
from collections.abc import Mapping
from typing import cast

import msgspec

from proa.core.config.fields import Fields, Items, Pairs, shape_of
from proa.core.config.legacy.ingress_schema import Ingress
from proa.core.config.legacy.schema import DestinationPolicy, EgressRule, IngressRule, RouteRule
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.shapes import Shape
from proa.core.config.tree import Json

GROUP = "config.istio.io"
VERSION = "v1alpha2"
_TYPES = {
    "route-rule": "RouteRule",
    "destination-policy": "DestinationPolicy",
    "egress-rule": "EgressRule",
    "ingress-rule": "IngressRule",
}
_SHAPES = {
    "RouteRule": shape_of(RouteRule),
    "DestinationPolicy": shape_of(DestinationPolicy),
    "EgressRule": shape_of(EgressRule),
    "IngressRule": shape_of(IngressRule),
    "Ingress": shape_of(Ingress),
}
_KUBERNETES = "networking.k8s.io"
_SNAKE = re.compile(r"_([a-z0-9])")
# What the first form of metadata held by mistake: samples of 2018 have a DestinationRule's fields there.
_MISPLACED = ("trafficPolicy", "subsets")


class Respelled(msgspec.Struct, frozen=True, kw_only=True):
    """`moved`: a path now to the path as written; `findings` have paths of now."""

    value: dict[str, Json]
    moved: Mapping[Path, Path]
    findings: tuple[Finding, ...] = ()


def respell(value: dict[str, Json]) -> Respelled | None:
    """None when the document is spelled as the schemas read it. Never changes `value`."""
    api_version, kind = value.get("apiVersion"), value.get("kind")
    group = api_version.rpartition("/")[0] if isinstance(api_version, str) else ""
    word = kind if isinstance(kind, str) else value.get("type") if kind is None else None
    if not isinstance(word, str):
        return None
    if group == GROUP and word in _SHAPES:
        return _Respelling(value).old(word)
    if word in _TYPES and group in ("", GROUP):
        return _Respelling(value).of_2017(_TYPES[word])
    if word == "Ingress" and group in ("extensions", _KUBERNETES):
        return _Respelling(value).ingress()
    if api_version == "networking.istio.io/v1alpha3" and word in ("VirtualService", "DestinationRule"):
        return _Respelling(value).preview(word)
    return None


def written_path(moved: Mapping[Path, Path], path: Path) -> Path:
    """Where a place of the respelled document was written."""
    for length in range(len(path), 0, -1):
        old = moved.get(path[:length])
        if old is not None:
            return (*old, *path[length:])
    return path


class _Respelling:
    """A copy of the document that is being changed; `moved` is filled on the way."""

    def __init__(self, value: dict[str, Json]) -> None:
        self.value: dict[str, Json] = _copy(value)
        self.moved: dict[Path, Path] = {}
        self.findings: list[Finding] = []

    def done(self) -> Respelled | None:
        if not self.moved and not self.findings:
            return None
        return Respelled(value=self.value, moved=self.moved, findings=tuple(self.findings))

    # -- config.istio.io --

    def old(self, kind: str) -> Respelled | None:
        spec = self.value.get("spec")
        if isinstance(spec, dict):
            self._snake(_SHAPES[kind], spec, ("spec",), ("spec",))
            self._first_words(kind, spec, ("spec",))
        return self.done()

    def of_2017(self, kind: str) -> Respelled | None:
        """Without kind and metadata: `type`, `name` and `namespace` stand at the top."""
        source = "kind" if "kind" in self.value else "type"
        self.value.pop(source)
        before = self.value
        self.value = {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind}
        self.moved["kind",] = (source,)
        self.moved["apiVersion",] = (source,)
        for name, content in before.items():
            if name in ("name", "namespace") and "metadata" not in before:
                metadata = self.value.setdefault("metadata", {})
                cast(dict[str, Json], metadata)[name] = content
                self.moved["metadata", name] = (name,)
            elif name != "apiVersion":
                self.value[name] = content
        self.old(kind)
        return self.done()

    def _first_words(self, kind: str, spec: dict[str, Json], at: Path) -> None:
        """What the fields were called in 2017."""
        self._as_service(spec, "destination", at)
        self._as_service(spec, "source", at)
        match = spec.get("match")
        if isinstance(match, dict):
            inside = (*at, "match")
            self._as_service(match, "source", inside)
            source = match.get("source")
            if "sourceTags" in match and isinstance(source, dict | None):
                tags = match.pop("sourceTags")
                match["source"] = {**(source or {}), "labels": tags}
                self.moved[*inside, "source", "labels"] = (*inside, "sourceTags")
            if "httpHeaders" in match and "request" not in match:
                match["request"] = {"headers": match.pop("httpHeaders")}
                self.moved[*inside, "request", "headers"] = (*inside, "httpHeaders")
                self.moved[*inside, "request"] = (*inside, "httpHeaders")
        for name in ("route", "policy"):
            for index, each in enumerate(_dicts(spec.get(name))):
                self._rename(each, "tags", "labels", (*at, name, index))
                self._as_service(each, "destination", (*at, name, index))
                self._as_name(each, (*at, name, index))
        if kind == "DestinationPolicy":
            self._as_name(spec, at)

    def _as_service(self, owner: dict[str, Json], name: str, at: Path) -> None:
        """`destination: reviews.default.svc.cluster.local` names a service in one word."""
        text = owner.get(name)
        if isinstance(text, str):
            owner[name] = {"service": text}
            self.moved[*at, name, "service"] = (*at, name)

    def _as_name(self, owner: dict[str, Json], at: Path) -> None:
        text = owner.get("loadBalancing")
        if isinstance(text, str):
            owner["loadBalancing"] = {"name": text}
            self.moved[*at, "loadBalancing", "name"] = (*at, "loadBalancing")

    def _rename(self, owner: dict[str, Json], old: str, new: str, at: Path) -> None:
        if old in owner and new not in owner:
            owner[new] = owner.pop(old)
            self.moved[*at, new] = (*at, old)

    def _snake(self, shape: Shape, value: Json, at: Path, written: Path) -> None:
        """Protobuf's own names of fields; names in maps are the user's and stay."""
        if isinstance(shape, Fields) and isinstance(value, dict):
            for name in list(value):
                camel = _SNAKE.sub(lambda match: match[1].upper(), name)
                known = camel in shape.fields or camel in shape.type.GONE
                if camel != name and known and camel not in value:
                    value[camel] = value.pop(name)
                    self.moved[*at, camel] = (*written, name)
            for name, field in shape.fields.items():
                if name in value:
                    inside = self.moved.get((*at, name), (*written, name))
                    self._snake(field.shape, value[name], (*at, name), inside)
        elif isinstance(shape, Items) and isinstance(value, list):
            for index, item in enumerate(value):
                self._snake(shape.item, item, (*at, index), (*written, index))
        elif isinstance(shape, Pairs) and isinstance(value, dict):
            for name, item in value.items():
                self._snake(shape.value, item, (*at, name), (*written, name))

    # -- Kubernetes --

    def ingress(self) -> Respelled | None:
        if self.value.get("apiVersion") != f"{_KUBERNETES}/v1":
            self.value["apiVersion"] = f"{_KUBERNETES}/v1"
            self.moved["apiVersion",] = ("apiVersion",)
        spec = self.value.get("spec")
        if not isinstance(spec, dict):
            return self.done()
        self._rename(spec, "backend", "defaultBackend", ("spec",))
        self._backend(spec.get("defaultBackend"), ("spec", "defaultBackend"))
        for index, rule in enumerate(_dicts(spec.get("rules"))):
            http = rule.get("http")
            for number, path in enumerate(_dicts(http.get("paths") if isinstance(http, dict) else None)):
                at = ("spec", "rules", index, "http", "paths", number, "backend")
                self._backend(path.get("backend"), at)
        return self.done()

    def _backend(self, backend: Json, at: Path) -> None:
        """`serviceName` and `servicePort` (a number or a name) became `service`."""
        if not isinstance(backend, dict) or "serviceName" not in backend or "service" in backend:
            return
        written = self.moved.get(at, at)
        service: dict[str, Json] = {"name": backend.pop("serviceName")}
        self.moved[*at, "service", "name"] = (*written, "serviceName")
        self.moved[*at, "service"] = written
        if "servicePort" in backend:
            port = backend.pop("servicePort")
            number = int(port) if isinstance(port, str) and port.isdecimal() else port
            name = "name" if isinstance(number, str) else "number"
            service["port"] = {name: number}
            self.moved[*at, "service", "port"] = (*written, "servicePort")
            self.moved[*at, "service", "port", name] = (*written, "servicePort")
        backend["service"] = service

    # -- the first months of v1alpha3 --

    def preview(self, kind: str) -> Respelled | None:
        if kind == "DestinationRule":
            self._misplaced()
        spec = self.value.get("spec")
        if isinstance(spec, dict):
            if kind == "DestinationRule":
                self._rename(spec, "name", "host", ("spec",))
                self._outlier(spec, ("spec",))
                for index, subset in enumerate(_dicts(spec.get("subsets"))):
                    self._outlier(subset, ("spec", "subsets", index))
            else:
                for index, rule in enumerate(_dicts(spec.get("http"))):
                    self._rule(rule, ("spec", "http", index))
        return self.done()

    def _misplaced(self) -> None:
        """A DestinationRule without a spec, whose settings stand one level too deep: for the service of its name."""
        metadata = self.value.get("metadata")
        if not isinstance(metadata, dict) or self.value.get("spec") is not None:
            return
        names = [name for name in _MISPLACED if name in metadata]
        if not names:
            return
        spec: dict[str, Json] = {"host": metadata.get("name")}
        self.moved["spec",] = ("metadata",)
        self.moved["spec", "host"] = ("metadata", "name")
        for name in names:
            spec[name] = metadata.pop(name)
            self.moved["spec", name] = ("metadata", name)
            message = (
                f"{name} stands in metadata and is read as the spec of the host of that name; move it to spec"
            )
            self.findings.append(warning(("spec", name), "deprecated", message))
        self.value["spec"] = spec

    def _outlier(self, owner: dict[str, Json], at: Path) -> None:
        policy = owner.get("trafficPolicy")
        outlier = policy.get("outlierDetection") if isinstance(policy, dict) else None
        http = outlier.get("http") if isinstance(outlier, dict) else None
        if isinstance(outlier, dict) and isinstance(http, dict):
            outlier.pop("http")
            inside = (*at, "trafficPolicy", "outlierDetection")
            for name in http:
                if name not in outlier:
                    outlier[name] = http[name]
                    self.moved[*inside, name] = (*inside, "http", name)

    def _rule(self, rule: dict[str, Json], at: Path) -> None:
        for index, route in enumerate(_dicts(rule.get("route"))):
            destination = route.get("destination")
            if isinstance(destination, dict):
                self._rename(destination, "name", "host", (*at, "route", index, "destination"))
        mirror = rule.get("mirror")
        if isinstance(mirror, dict):
            self._rename(mirror, "name", "host", (*at, "mirror"))
        if "websocketUpgrade" in rule:
            rule.pop("websocketUpgrade")
            message = "websocketUpgrade: every route lets WebSockets through today; remove it"
            self.findings.append(warning((*at, "websocketUpgrade"), "no-effect", message))
        for old, target in {"appendHeaders": "request", "removeResponseHeaders": "response"}.items():
            headers = rule.get("headers", {})
            if old in rule and isinstance(headers, dict) and target not in headers:
                content = rule.pop(old)
                verb: Json = {"add": content} if target == "request" else {"remove": _names(content)}
                rule["headers"] = {**headers, target: verb}
                self.moved[*at, "headers", target] = (*at, old)


def _names(value: Json) -> Json:
    """removeResponseHeaders was a map of which the names alone counted."""
    return list(value) if isinstance(value, dict) else value


def _dicts(value: Json) -> list[dict[str, Json]]:
    """The items of a list, one for each place: what is no object is an empty one, and told of by the reader."""
    items = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {} for item in items]


def _copy(value: dict[str, Json]) -> dict[str, Json]:
    def inner(each: Json) -> Json:
        if isinstance(each, dict):
            return {name: inner(content) for name, content in each.items()}
        return [inner(item) for item in each] if isinstance(each, list) else each

    return {name: inner(content) for name, content in value.items()}

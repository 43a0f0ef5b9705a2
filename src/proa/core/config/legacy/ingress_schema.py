"""What a Kubernetes Ingress says, in the form of networking.k8s.io/v1. `spelling` brings v1beta1 into it."""

from typing import Annotated

from immutables import Map

from proa.core.config.record import Record, Within


class BackendPort(Record, frozen=True, kw_only=True):
    name: str = ""
    number: Annotated[int, Within(0, 65535)] = 0


class BackendService(Record, frozen=True, kw_only=True):
    name: str
    port: BackendPort | None = None


class Backend(Record, frozen=True, kw_only=True):
    GONE = Map(resource="names an object that no proxy can call; write a service")

    service: BackendService


class HttpPath(Record, frozen=True, kw_only=True):
    """No `path` is every path. Without `path_type` it is read as in 2018: `.*` at its end makes it a prefix."""

    backend: Backend
    path: str = ""
    path_type: str = ""


class HttpRules(Record, frozen=True, kw_only=True):
    paths: tuple[HttpPath, ...] = ()


class IngressHostRule(Record, frozen=True, kw_only=True):
    """No `host`: every host."""

    host: str = ""
    http: HttpRules | None = None


class IngressTls(Record, frozen=True, kw_only=True):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class Ingress(Record, frozen=True, kw_only=True):
    """`default_backend` answers what no rule names."""

    ingress_class_name: str = ""
    default_backend: Backend | None = None
    tls: tuple[IngressTls, ...] = ()
    rules: tuple[IngressHostRule, ...] = ()

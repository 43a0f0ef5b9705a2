"""What HTTPAPISpecs tell of a request: which API of a service it is meant for, which operation of it, and its key.

A spec's own attributes are those of all requests to the services that it is bound to. Of its templates the best that
fits adds its attributes, then each regular expression that fits the whole path, with its query or without. Of several
specs, in order of names, the later one wins, and the first that finds a key. Without keys of its own a spec looks for
one in the queries `key` and `api_key`, then in the header `x-api-key`.

What is the same for all requests is told apart (`constants`): rules can be judged by it before a request comes. What is
not follows from what the proxy itself knows, and is put down to that: method, path and headers.
"""

from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl

import msgspec
import re2  # type: ignore[import-untyped]
from immutables import Map

from proa.core.attributes.time_texts import parse_timestamp
from proa.core.attributes.value_types import Span, Value, has_type
from proa.core.attributes.vocabulary import ATTRIBUTES, Producer, Vocabulary
from proa.core.config.attribute_values import Attributes, AttributeValue
from proa.core.config.config import Config
from proa.core.config.kinds.mixer_api_spec.schema import ApiKey, ApiPattern, HttpApiSpec, HttpApiSpecBinding
from proa.core.expression.tracing import Reference
from proa.core.mixer.plan.bound_services import Binding, BoundServices, bind_services, bound_to
from proa.core.mixer.uri_templates import ANY_METHOD, Templates, read_template
from proa.core.model.digest import digest_of
from proa.core.model.names import ObjectRef

API_KEY: Final = "request.api_key"
API_NAMES: Final = frozenset(row.name for row in ATTRIBUTES if Producer.API_SPEC in row.producers)
"""What nobody else tells of a request: absent where no spec does."""
_KEYS: Final = (ApiKey(query="key"), ApiKey(query="api_key"), ApiKey(header="x-api-key"))
_PATH: Final = Reference("request.path", None, "exact")
_METHOD: Final = Reference("request.method", None, "exact")

Told = Map[str, Value]


class Fitting(msgspec.Struct, frozen=True, eq=False):
    """A regular expression of paths, ready to be tried."""

    method: str
    expression: "re2._Regexp"
    adds: Told

    def fits(self, method: str, path: str) -> bool:
        if self.method not in (ANY_METHOD, method):
            return False
        bare = path.partition("?")[0]
        whole: bool = self.expression.fullmatch(path) is not None
        return whole or (bare != path and self.expression.fullmatch(bare) is not None)


class ApiSpec(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One HTTPAPISpec, ready to be asked. `own`: what it tells of every request; `adds`, by the places of `templates`,
    and those of `fittings` what it tells of some. `digest` is of all that this follows from."""

    digest: str
    own: Told
    templates: Templates
    adds: tuple[Told, ...]
    fittings: tuple[Fitting, ...]
    keys: tuple[ApiKey, ...]
    some: frozenset[str]
    """Names of what it tells of some requests and not of others."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ApiSpec) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def added(self, method: str, path: str) -> Iterator[Told]:
        """In the order in which they count."""
        best = self.templates.find(method, path)
        if best is not None:
            yield self.adds[best]
        for each in self.fittings:
            if each.fits(method, path):
                yield each.adds


class ServiceApis(msgspec.Struct, frozen=True, kw_only=True):
    """Specs, and which of them are bound to a service."""

    specs: Map[ObjectRef, ApiSpec] = Map()
    bound: BoundServices = BoundServices()


class Apis(msgspec.Struct, frozen=True, kw_only=True):
    """Of one service. `names`: what may differ between its requests."""

    specs: tuple[ApiSpec, ...] = ()
    constants: Told = Map()
    names: frozenset[str] = frozenset()

    def tell(self, headers: Mapping[str, str]) -> Told:
        """What is told of one request, but for its key. Pseudo headers are among `headers`."""
        found: dict[str, Value] = {}
        path, method = headers.get(":path"), headers.get(":method", "").upper()
        for spec in self.specs:
            found.update(spec.own)
            for added in spec.added(method, path) if path else ():
                found.update(added)
        return Map(found)

    def find_key(self, headers: Mapping[str, str]) -> str | None:
        return next(filter(None, (_key_at(key, headers) for key in self.keys)), None)

    @property
    def keys(self) -> Iterator[ApiKey]:
        """Where a request's key may be, in this order."""
        return (key for spec in self.specs for key in spec.keys)

    @property
    def key_headers(self) -> frozenset[str]:
        """The headers that may hold it, in lower case."""
        found = (key.header.lower() if key.header else "cookie" if key.cookie else "" for key in self.keys)
        return frozenset(name for name in found if name)


NO_APIS: Final = Apis()


def compile_apis(
    configs: Iterable[Config], vocabulary: Vocabulary, before: ServiceApis | None = None
) -> ServiceApis:
    """`before`: specs of it that are the same are not compiled again."""
    held = tuple(configs)
    known = before.specs if before else Map[ObjectRef, ApiSpec]()
    specs: dict[ObjectRef, ApiSpec] = {}
    for each in held:
        if isinstance(each.spec, HttpApiSpec):
            digest, stands = _digest(each.spec, vocabulary), known.get(each.ref)
            is_same = stands is not None and stands.digest == digest
            specs[each.ref] = stands if stands and is_same else _compile(each.spec, vocabulary, digest)
    bindings = (
        Binding(namespace=each.meta.namespace, services=each.spec.services, named=each.spec.api_specs)
        for each in held
        if isinstance(each.spec, HttpApiSpecBinding)
    )
    return ServiceApis(specs=Map(specs), bound=bind_services("HTTPAPISpec", specs, bindings))


def _digest(spec: HttpApiSpec, vocabulary: Vocabulary) -> str:
    """The types of what it tells are declared by others."""
    every = (spec.attributes, *(pattern.attributes for pattern in spec.patterns))
    names = sorted({name for each in every if each for name in each.attributes})
    return digest_of((spec, *(f"{name}={vocabulary.type_of(name)}" for name in names)))


def _compile(spec: HttpApiSpec, vocabulary: Vocabulary, digest: str) -> ApiSpec:
    own = _told(spec.attributes, vocabulary)
    by_template = [each for each in spec.patterns if each.uri_template]
    adds = tuple(_told(each.attributes, vocabulary) for each in by_template)
    fittings = tuple(_fitting(each, vocabulary) for each in spec.patterns if each.regex)
    some = {name for added in (*adds, *(each.adds for each in fittings)) for name in added}
    return ApiSpec(
        digest=digest,
        own=own,
        templates=Templates(
            (each.http_method.upper(), read_template(each.uri_template)) for each in by_template
        ),
        adds=adds,
        fittings=fittings,
        keys=spec.api_keys or _KEYS,
        some=frozenset(some),
    )


def _fitting(pattern: ApiPattern, vocabulary: Vocabulary) -> Fitting:
    adds = _told(pattern.attributes, vocabulary)
    return Fitting(pattern.http_method.upper(), re2.compile(pattern.regex), adds)


def _told(attributes: Attributes | None, vocabulary: Vocabulary) -> Told:
    """What nobody declared, or is of another type than it was declared, no rule may read (`proa analyze` tells)."""
    found: dict[str, Value] = {}
    for name, written in attributes.attributes.items() if attributes else ():
        value, wanted = value_of(written), vocabulary.type_of(name)
        if value is not None and wanted is not None and has_type(value, wanted):
            found[name] = value
    return Map(found)


def value_of(written: AttributeValue) -> Value | None:
    """Of a value without faults."""
    if written.bytes_value is not None:
        return b64decode(written.bytes_value)
    if written.timestamp_value is not None:
        return parse_timestamp(written.timestamp_value)
    if written.duration_value is not None:
        return Span(written.duration_value * 1_000_000)
    if written.string_map_value is not None:
        return written.string_map_value.entries
    plain = (written.string_value, written.int64_value, written.double_value, written.bool_value)
    return next((value for value in plain if value is not None), None)


def apis_for(apis: ServiceApis, host: str) -> Apis:
    """`host` is the full name of a service."""
    refs = bound_to(apis.bound, host.lower())
    if not refs:
        return NO_APIS
    specs = tuple(apis.specs[ref] for ref in refs)
    some = frozenset[str]().union(*(spec.some for spec in specs))
    constants = {name: value for spec in specs for name, value in spec.own.items() if name not in some}
    return Apis(specs=specs, constants=Map(constants), names=some | {API_KEY})


def grounded(apis: Apis, references: Iterable[Reference]) -> Iterator[Reference]:
    """The same in terms of what a proxy knows. What is the same for all requests of the service is nothing to depend
    on, and neither is what no spec tells."""
    for each in references:
        if each.name == API_KEY and each.name in apis.names:
            yield from _of_key(apis)
        elif each.name in apis.names:
            yield from (_PATH, _METHOD)
        elif each.name not in apis.constants and each.name not in API_NAMES:
            yield each


def _of_key(apis: Apis) -> Iterator[Reference]:
    for name in sorted(apis.key_headers):
        yield Reference("request.headers", name, "exact")
    if any(key.query for key in apis.keys):
        yield _PATH


def _key_at(key: ApiKey, headers: Mapping[str, str]) -> str | None:
    """An empty one is none."""
    if key.header:
        return headers.get(key.header.lower())
    if key.cookie:
        pairs = (part.partition("=") for part in headers.get("cookie", "").split(";"))
        return next(
            (value.strip().strip('"') for name, _, value in pairs if name.strip() == key.cookie), None
        )
    query = headers.get(":path", "").partition("?")[2].partition("#")[0]
    return next((value for name, value in parse_qsl(query) if name == key.query), None)

"""What HTTPAPISpec and HTTPAPISpecBinding say, as users wrote them. Read by their validators."""

from typing import Annotated

from proa.core.config.attribute_values import Attributes
from proa.core.config.istio_service import IstioService, NamedSpec
from proa.core.config.record import NotEmpty, ReadOnlySpec, Record


class ApiPattern(Record, frozen=True, kw_only=True):
    """Requests of a method whose path fits the template or the expression get the attributes."""

    SNAKE_TOO = True

    attributes: Attributes | None = None
    http_method: str = ""
    uri_template: str = ""
    regex: str = ""


class ApiKey(Record, frozen=True, kw_only=True):
    """Where a key is: one of the three."""

    query: str = ""
    header: str = ""
    cookie: str = ""


class HttpApiSpec(ReadOnlySpec, frozen=True, kw_only=True):
    SNAKE_TOO = True

    attributes: Attributes | None = None
    patterns: Annotated[tuple[ApiPattern, ...], NotEmpty()]
    api_keys: tuple[ApiKey, ...] = ()


class HttpApiSpecBinding(ReadOnlySpec, frozen=True, kw_only=True):
    SNAKE_TOO = True

    services: Annotated[tuple[IstioService, ...], NotEmpty()]
    api_specs: Annotated[tuple[NamedSpec, ...], NotEmpty()]

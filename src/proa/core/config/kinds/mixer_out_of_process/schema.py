"""What handler, instance, adapter and template of 1.0 say: Mixer's own and others' programs behind gRPC. Read by their
validators."""

from types import MappingProxyType
from typing import Final

from immutables import Map

from proa.core.config.record import Filled, FreeObject, ReadOnlySpec, Record

OUT_OF_PROCESS: Final = "adapters in programs of their own are not called"


class Connection(Record, frozen=True, kw_only=True):
    REFUSED = MappingProxyType({"address": OUT_OF_PROCESS})

    address: str = ""


class Handler(ReadOnlySpec, frozen=True, kw_only=True):
    """`adapter` is an object's name, or `compiled_adapter` one of Mixer's own; `params` are the adapter's."""

    SNAKE_TOO = True
    REFUSED = MappingProxyType({"adapter": OUT_OF_PROCESS, "connection": OUT_OF_PROCESS})

    adapter: str = ""
    compiled_adapter: str = ""
    params: FreeObject | None = None
    connection: Connection | None = None


class TemplateInstance(ReadOnlySpec, frozen=True, kw_only=True):
    """`template` is an object's name, or `compiled_template` one of Mixer's own; `params` are the template's fields."""

    SNAKE_TOO = True
    REFUSED = MappingProxyType({"template": OUT_OF_PROCESS})

    template: str = ""
    compiled_template: str = ""
    params: FreeObject | None = None
    attribute_bindings: Map[str, str] = Map()


class Adapter(ReadOnlySpec, frozen=True, kw_only=True):
    """`config` is a FileDescriptorSet in base64."""

    SNAKE_TOO = True

    description: str = ""
    templates: tuple[Filled, ...] = ()
    config: str = ""
    session_based: bool = False


class Template(ReadOnlySpec, frozen=True, kw_only=True):
    """`descriptor` is a FileDescriptorSet in base64."""

    descriptor: Filled

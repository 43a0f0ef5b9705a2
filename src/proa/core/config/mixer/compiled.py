"""Handlers and instances of Mixer's own adapters and templates, whichever way they are written: by the old kinds, which
are called by the adapter or template, or by `handler` and `instance` with `compiledAdapter` and `compiledTemplate`.

`config` asks what is wrong with one, analysis and plans read them all alike.
"""

from collections.abc import Iterator
from typing import cast

import msgspec

from proa.core.config.fields import shape_of
from proa.core.config.kinds.kind import follows
from proa.core.config.kinds.mixer_out_of_process.schema import OUT_OF_PROCESS, Handler, TemplateInstance
from proa.core.config.mixer.catalogue import AdapterKind, Catalogue
from proa.core.config.mixer.instances import instance_faults
from proa.core.config.mixer.parameters import Adapter
from proa.core.config.mixer.templates import TEMPLATES, Instance, TemplateKind
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.record import Record
from proa.core.config.tree import Json, shorten

PARAMS: Path = ("spec", "params")


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """A handler: its adapter's `parameters`, which stand at `path` in the document."""

    adapter: AdapterKind
    parameters: Adapter
    path: Path


class Shaped(msgspec.Struct, frozen=True, kw_only=True):
    """An instance: its template's `fields`, which stand at `path` in the document."""

    template: TemplateKind
    fields: Instance
    path: Path


def handler_of(kind: str, spec: object, catalogue: Catalogue) -> Configured | None:
    """None for objects that are no handlers, and for handlers of adapters that nobody knows or that run elsewhere."""
    if isinstance(spec, Adapter):
        adapter = catalogue.find(kind)
        return Configured(adapter=adapter, parameters=spec, path=("spec",)) if adapter else None
    if isinstance(spec, Handler) and (adapter := catalogue.find(spec.compiled_adapter)):
        parameters = _read(adapter.parameters, spec.params, [])
        return Configured(adapter=adapter, parameters=cast(Adapter, parameters), path=PARAMS)
    return None


def instance_of(kind: str, spec: object) -> Shaped | None:
    """None for objects that are no instances, and for those of templates that Mixer does not have itself."""
    if isinstance(spec, Instance):
        template = TEMPLATES.get(kind)
        return Shaped(template=template, fields=spec, path=("spec",)) if template else None
    if isinstance(spec, TemplateInstance) and (template := TEMPLATES.get(spec.compiled_template)):
        fields = cast(Instance, _read(template.fields, spec.params, []))
        if spec.attribute_bindings:
            fields = msgspec.structs.replace(fields, attribute_bindings=spec.attribute_bindings)
        return Shaped(template=template, fields=fields, path=PARAMS)
    return None


def _read(schema: type[Record], params: str | None, found: list[Finding]) -> Record:
    value = cast(Json, msgspec.json.decode(params or "{}"))
    return cast(Record, shape_of(schema).read(value, PARAMS, found))


def compiled_faults(spec: object, catalogue: Catalogue) -> Iterator[Finding]:
    """What is wrong with the parameters of a `handler` or `instance` of Mixer's own. Of other objects nothing."""
    found: list[Finding] = []
    if isinstance(spec, Handler) and spec.compiled_adapter:
        adapter = catalogue.find(spec.compiled_adapter)
        if adapter is None:
            unknown = catalogue.unknown(spec.compiled_adapter)
            yield Finding(("spec", "compiledAdapter"), "unknown-adapter", unknown)
            return
        parameters = _read(adapter.parameters, spec.params, found)
        meant = adapter.faults(cast(Adapter, parameters), PARAMS)
        yield from (*found, *(each for each in meant if not follows(each, found)))
    elif isinstance(spec, TemplateInstance) and spec.compiled_template:
        template = TEMPLATES.get(spec.compiled_template)
        if template is None:
            near = suggestion(spec.compiled_template, TEMPLATES) or f"; there are {', '.join(TEMPLATES)}"
            message = f'there is no template "{shorten(spec.compiled_template)}"{near}'
            yield Finding(("spec", "compiledTemplate"), "unknown-template", message)
            return
        fields = _read(template.fields, spec.params, found)
        meant = instance_faults(cast(Instance, fields), PARAMS)
        yield from (*found, *(each for each in meant if not follows(each, found)))


def missing_adapter(spec: object, catalogue: Catalogue) -> str:
    """Why the adapter of a `handler`, or that which an `instance` is for, does not run here; "" for all else."""
    if isinstance(spec, TemplateInstance):
        return OUT_OF_PROCESS if spec.template else ""
    if not isinstance(spec, Handler):
        return ""
    if spec.adapter or spec.connection:
        return OUT_OF_PROCESS
    adapter = catalogue.find(spec.compiled_adapter)
    return adapter.missing if adapter else ""

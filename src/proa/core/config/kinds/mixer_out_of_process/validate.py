"""Whether handler, instance, adapter and template of 1.0 make sense. Called through the kinds table."""

import binascii
from collections.abc import Iterator

from proa.core.config.kinds.mixer_out_of_process.schema import Adapter, Handler, Template, TemplateInstance
from proa.core.config.meta import Meta
from proa.core.config.mixer.annotations import handler_annotation_faults
from proa.core.config.path import Path
from proa.core.config.problem import Finding

SPEC: Path = ("spec",)


def validate_handler(spec: Handler, meta: Meta) -> Iterator[Finding]:
    yield from handler_annotation_faults(meta.annotations)
    yield from _check_one({"adapter": spec.adapter, "compiledAdapter": spec.compiled_adapter})
    if spec.connection is not None and not spec.connection.address:
        yield Finding((*SPEC, "connection", "address"), "required", "a connection needs an address; write it")


def validate_instance(spec: TemplateInstance, _meta: Meta) -> Iterator[Finding]:
    yield from _check_one({"template": spec.template, "compiledTemplate": spec.compiled_template})


def _check_one(names: dict[str, str]) -> Iterator[Finding]:
    given = [name for name, value in names.items() if value]
    first, second = names
    if not given:
        yield Finding((*SPEC, first), "required", f"one of {first} and {second} is required; write one")
    elif len(given) > 1:
        yield Finding(SPEC, "conflict", f"{first} and {second} exclude each other; keep one")


def validate_adapter(spec: Adapter, _meta: Meta) -> Iterator[Finding]:
    yield from _check_descriptor(spec.config, (*SPEC, "config"))


def validate_template(spec: Template, _meta: Meta) -> Iterator[Finding]:
    yield from _check_descriptor(spec.descriptor, (*SPEC, "descriptor"))


def _check_descriptor(text: str, at: Path) -> Iterator[Finding]:
    """With or without line breaks, of either alphabet."""
    plain = "".join(text.split()).replace("-", "+").replace("_", "/")
    try:
        binascii.a2b_base64(plain, strict_mode=bool(plain))
    except ValueError:  # binascii's own, and what is not ASCII
        yield Finding(at, "bad-value", "not base64; write a FileDescriptorSet in base64")

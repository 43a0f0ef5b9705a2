"""Whether an attributemanifest makes sense. Called through the kinds table."""

import re
from collections.abc import Iterator

from proa.core.config.kinds.mixer_attributes.schema import AttributeManifest
from proa.core.config.meta import Meta
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def validate(spec: AttributeManifest, _meta: Meta) -> Iterator[Finding]:
    for name, attribute in spec.attributes.items():
        at = ("spec", "attributes", name)
        if not _NAME.fullmatch(name):
            message = (
                f'"{shorten(name)}" is no attribute; write words of letters, digits and _ with dots between'
            )
            yield Finding(at, "bad-value", message)
        if attribute.value_type == "VALUE_TYPE_UNSPECIFIED":
            yield Finding((*at, "valueType"), "required", "an attribute needs a type; write valueType")

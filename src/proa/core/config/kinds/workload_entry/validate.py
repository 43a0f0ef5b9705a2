"""Whether a WorkloadEntry makes sense: the endpoint's own rules. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.endpoint import WorkloadEntry, check_endpoint
from proa.core.config.meta import Meta
from proa.core.config.problem import Finding


def validate(spec: WorkloadEntry, meta: Meta) -> Iterator[Finding]:
    yield from check_endpoint(spec, ("spec",))

"""Whether a ProxyConfig makes sense: Istio's rules for its fields. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.kinds.proxy_config.schema import ProxyConfig
from proa.core.config.meta import Meta
from proa.core.config.problem import Finding, warning
from proa.core.config.selection import check_selection
from proa.core.config.variables import check_variables


def validate(spec: ProxyConfig, meta: Meta) -> Iterator[Finding]:
    yield from check_selection(spec.selector, None, (), meta.namespace)
    yield from check_variables(spec.environment_variables, ("spec", "environmentVariables"))
    if spec.image is not None:
        message = "Proa's proxies come as a Python package and not as an image; remove the field"
        yield warning(("spec", "image"), "no-effect", message)

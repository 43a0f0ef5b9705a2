"""Variables of a proxy's environment, as several kinds write them."""

from collections.abc import Iterator, Mapping

from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten


def check_variables(variables: Mapping[str, str], at: Path) -> Iterator[Finding]:
    for name, value in variables.items():
        if not name:
            yield Finding((*at, name), "required", "a variable needs a name; write it")
        elif "=" in name or "\0" in name + value:
            message = f'"{shorten(name)}" cannot be a variable; write a name without ='
            yield Finding((*at, name), "bad-value", message)

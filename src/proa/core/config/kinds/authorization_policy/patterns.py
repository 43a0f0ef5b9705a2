"""What values of an AuthorizationPolicy may look like, in the words of a problem. This kind's validators ask."""

from proa.core.config.labels import is_namespace_name, is_object_name
from proa.core.config.policy_values import path_fault as plain_path_fault
from proa.core.config.tree import shorten

_LONGEST_ACCOUNT = 320


def accounts_fault(value: str) -> str | None:
    """For `account` or `namespace/account`: whole names only."""
    namespace, slash, account = value.rpartition("/")
    if "*" in value:
        return (
            "an account is a whole name; write account or namespace/account, or use principals for patterns"
        )
    if len(value) > _LONGEST_ACCOUNT or not is_object_name(account):
        return f'"{shorten(value)}" is no account; write account or namespace/account'
    if slash and not is_namespace_name(namespace):
        return f'"{shorten(namespace)}" is no namespace; write namespace/account'
    return None


def path_fault(value: str) -> str | None:
    """For patterns, and templates: segments of `{*}` (one) and `{**}` (any number, once)."""
    if not value or ("{" not in value and "}" not in value):
        return plain_path_fault(value)
    if not value.startswith("/"):
        return f'"{shorten(value)}" is no template: templates begin with a slash; write it'
    if fault := plain_path_fault(value):
        return fault
    segments = value.split("/")
    operators = [segment for segment in segments if "{" in segment or "}" in segment]
    if any(operator not in ("{*}", "{**}") for operator in operators):
        return f'"{shorten(value)}" is no template; {{*}} and {{**}} stand alone between slashes'
    if "*" in value.replace("{*}", "").replace("{**}", ""):
        return f'"{shorten(value)}" mixes templates with *; write {{*}} or {{**}} throughout'
    if operators.count("{**}") > 1 or "{*}" in segments[_first(segments, "{**}") :]:
        return f'"{shorten(value)}" is ambiguous: nothing may vary behind {{**}}; write it last'
    return None


def _first(segments: list[str], wanted: str) -> int:
    return segments.index(wanted) if wanted in segments else len(segments)

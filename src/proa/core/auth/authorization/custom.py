"""Whom a port's CUSTOM policies ask, and what becomes of those that nobody can obey.

They refuse everything, in their own names: one whose provider nobody knows, two that name different providers for one
port (Istio asks one, too), and on raw streams one whose provider is asked by HTTP.
"""

from collections.abc import Iterable

import msgspec

from proa.core.auth.authorization.values import Policy, closing
from proa.core.model.check_providers import CheckProvider


class Obeyable(msgspec.Struct, frozen=True, kw_only=True):
    """`provider` is None when nobody is asked."""

    policies: tuple[Policy, ...]
    provider: CheckProvider | None = None


def obeyable(
    policies: tuple[Policy, ...], providers: Iterable[CheckProvider], *, is_stream: bool = False
) -> Obeyable:
    asking = [each for each in policies if each.action == "CUSTOM" and not each.is_dry_run]
    if not asking:
        return Obeyable(policies=policies)
    known = {each.name: each for each in providers if each.is_grpc or not is_stream}
    named = {each.provider for each in asking}
    provider = known.get(asking[0].provider) if len(named) == 1 else None
    if provider is not None:
        return Obeyable(policies=policies, provider=provider)
    kept = tuple(each for each in policies if each.action != "CUSTOM")
    return Obeyable(policies=(*(closing(each.ref, "provider") for each in asking), *kept))

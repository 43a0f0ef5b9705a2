"""The limits that memquota's parameters name."""

from proa.core.config.mixer.parameters import MemQuota
from proa.core.mixer.quota.limits import Override, QuotaLimit


def limits_of(parameters: MemQuota) -> tuple[QuotaLimit, ...]:
    return tuple(
        QuotaLimit(
            quota=quota.name,
            max_amount=quota.max_amount,
            window_ms=quota.valid_duration or 0,
            overrides=tuple(
                Override(
                    dimensions=override.dimensions,
                    max_amount=override.max_amount,
                    window_ms=override.valid_duration or 0,
                )
                for override in quota.overrides
            ),
        )
        for quota in parameters.quotas
    )

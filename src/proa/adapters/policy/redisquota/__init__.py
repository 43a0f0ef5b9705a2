"""Quotas in a Redis that several control planes share."""

from proa.adapters.policy.redisquota.quotas import RedisQuotas

__all__ = ["RedisQuotas"]

"""Quotas in the memory of one process."""

from proa.adapters.policy.memquota.quotas import MemQuotas

__all__ = ["MemQuotas"]

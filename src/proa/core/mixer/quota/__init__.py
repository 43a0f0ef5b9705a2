"""Quotas as arithmetic: which limit a charge falls under, what a window has left, which charges were seen before."""

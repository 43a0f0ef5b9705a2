"""Denies whatever a rule brings to it."""

"""Accepts whatever a rule brings to it, and does nothing."""

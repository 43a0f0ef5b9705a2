"""Mixer without its edges: templates, dispatch plans, quotas. Handed values, returns values."""

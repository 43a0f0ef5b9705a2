"""Mixer's handler, instance, adapter and template of 1.0: their schemas and the rules of their meaning."""

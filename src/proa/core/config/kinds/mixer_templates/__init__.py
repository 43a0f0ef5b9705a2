"""Mixer's instances, whose kinds are the names of templates: their schemas and the rules of their meaning."""

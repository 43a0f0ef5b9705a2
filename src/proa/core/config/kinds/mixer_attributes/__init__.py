"""Mixer's attributemanifest: its schema and the rules of its meaning."""

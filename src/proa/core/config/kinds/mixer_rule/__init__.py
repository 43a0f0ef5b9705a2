"""Mixer's rule: its schema and the rules of its meaning."""

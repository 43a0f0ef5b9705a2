"""Mixer's handlers, whose kinds are the names of adapters: their schemas and the rules of their meaning."""

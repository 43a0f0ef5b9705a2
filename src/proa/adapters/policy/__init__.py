"""Adapters that decide, count and report for Mixer's rules: one folder for each."""

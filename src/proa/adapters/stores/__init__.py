"""Stores that several control planes share, one folder per outside system."""

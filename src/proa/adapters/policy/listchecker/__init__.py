"""Allows or denies by lists: written out, or fetched over HTTP."""

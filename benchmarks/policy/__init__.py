"""B15: what it costs to ask Mixer."""

"""Whether objects of Gateway API make sense, each by itself."""

"""What does not go together among Mixer's objects: further checks for `proa analyze`."""

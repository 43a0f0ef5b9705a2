"""What stands in a sidecar's chain for Mixer's rules, and the way to the control plane that answers for it."""

"""Mixer as it runs in the control plane: the handlers in force, and the answers to what proxies ask and tell."""

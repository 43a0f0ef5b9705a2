"""What a proxy may see of the world, and which views a change touches.

The only part besides the world's owner that reads a whole snapshot. What leaves it are views: small, shared by all
proxies of a scope, and without endpoints.
"""

"""Asks the ServiceRoles of the mesh."""

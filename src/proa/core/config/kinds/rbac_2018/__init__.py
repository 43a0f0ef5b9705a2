"""2018's ServiceRole, ServiceRoleBinding and RbacConfig: their schemas and the rules of their meaning."""

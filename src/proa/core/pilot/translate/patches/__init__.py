"""EnvoyFilters: the last step of translation, from a resource to the resource some proxies get instead."""

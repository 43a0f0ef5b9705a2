"""The bookstore's programs: productpage, details, reviews, ratings.

Each runs by itself (`python -m proa.demo.apps.reviews --version v2 --port 9080`), imports nothing but
aiohttp and the standard library, and knows nothing of a mesh: it calls its neighbours by name, obeys the
proxy variables as any well-behaved program does, and passes tracing headers on. They must not import from
the rest of Proa.
"""

"""Verdicts kept inside the proxy: who asked for the same before gets the same answer, without a call.

Mixer answers a check with the attributes that it looked at. All requests that agree in these may be answered alike,
for as long and as often as Mixer said. `shapes` turns attributes into what a proxy can read of a request, `keys` says
what a request has of it, `script` is the proxy's side: it looks, and lets the check happen unless it knows.
"""

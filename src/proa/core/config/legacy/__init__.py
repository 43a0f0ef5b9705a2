"""The rule language of 2017 and 2018, and Kubernetes Ingress: read, checked, and converted to today's kinds.

Translation knows one language, today's. What users wrote stays what is stored; what it is converted to is computed from
all old objects together, group by group (`convert`), so that a change costs what it touches.
"""

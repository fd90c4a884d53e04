"""Surfaces of fields: where a field that is negative inside is zero.

Fields are called here and nothing else is known of them, so nothing from `field` or above may be
imported.
"""

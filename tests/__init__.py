"""Tests. The checker is imported here because the import hook looks it up as an attribute."""

from . import shapecheck as shapecheck

"""Surfaces of fields: where a field that is negative inside is zero.

Fields are called here and nothing else is known of them, so nothing from `field` or above may be
imported.
"""

from .meshing import extract as extract
from .meshing import known_lipschitz as known_lipschitz

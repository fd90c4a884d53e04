"""Recipes: published experiments and our own, as functions with explicit settings.

Each module runs with `python -m recipes.NAME` and writes its figures to `recipes/results/`. Recipes
import the library, never the other way round.
"""

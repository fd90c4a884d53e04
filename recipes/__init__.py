"""Recipes: published experiments and our own, as functions with their numbers in plain sight.

Each module runs with `python -m recipes.NAME` and leaves its figures in `recipes/results/`. They
import the library, never the other way round.
"""

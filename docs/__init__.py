"""The documentation; importable, because one page is generated."""

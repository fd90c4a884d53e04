"""Shapes made of shapes: fields in, a field out."""

"""Tests mirror the package; each states a fact in its docstring."""

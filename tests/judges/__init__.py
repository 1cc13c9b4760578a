"""Tests of embedder.judges."""

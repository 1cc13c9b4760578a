"""Tests of embedder.comparison."""

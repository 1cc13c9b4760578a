"""Tests of embedder.search."""

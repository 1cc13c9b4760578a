"""Tests of embedder.pairs."""

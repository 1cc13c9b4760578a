"""Tests of embedder.params."""

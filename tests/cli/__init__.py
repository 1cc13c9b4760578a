"""Tests of embedder.cli."""

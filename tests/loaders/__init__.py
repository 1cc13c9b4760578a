"""Tests of embedder.loaders."""

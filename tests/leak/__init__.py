"""Tests of embedder.leak."""

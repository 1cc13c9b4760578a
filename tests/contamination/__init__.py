"""Tests of embedder.contamination."""

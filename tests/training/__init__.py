"""Tests of embedder.training."""

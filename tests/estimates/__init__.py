"""Tests of embedder.estimates."""

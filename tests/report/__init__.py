"""Tests of embedder.report."""

"""Tests of embedder/checks."""

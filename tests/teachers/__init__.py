"""Tests of embedder.teachers."""

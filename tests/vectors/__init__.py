"""Tests of embedder/vectors."""

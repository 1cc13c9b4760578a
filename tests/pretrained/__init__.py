"""Tests of embedder.pretrained."""

"""Tests of embedder.ingestion."""

"""Tests of the audit: made-up sources, the audit itself, shards."""

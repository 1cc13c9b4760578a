"""Tests of the students."""

"""Rescorers are built over the teacher of tests.teachers.fakes here too."""

from tests.teachers.conftest import table_kind

__all__ = ["table_kind"]

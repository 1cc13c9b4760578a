"""Models that score a pair of query and passage: loaded, run and stored alike for teachers and judges."""

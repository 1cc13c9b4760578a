"""Whether the pipeline can run here: checks that say what they found and what to do about it."""

"""How the runs and negatives of two revisions differ."""

"""Known false negatives: what rules would have let through, had known positives not been judged."""

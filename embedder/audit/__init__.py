"""What is wrong with training data, whoever made it: duplicates, false negatives, near copies, dev texts, licences."""

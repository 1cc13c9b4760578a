"""Evaluation: the dev split of each dataset, measured for several models, and what their differences are worth."""

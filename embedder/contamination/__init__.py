"""Contamination: the share of kept candidates that are relevant, P(relevant | kept).

`evidence` bounds it from below without a judge, `sample` draws what a judge is to label, `estimate` corrects what the
judge said for the judge's own errors.
"""

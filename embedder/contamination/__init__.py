"""Contamination: the share of unjudged kept candidates that are relevant, P(relevant | kept).

`evidence` bounds it from below without a judge, `twins` hints at what else may be relevant, `sample` draws what a judge is
to label, `estimate` corrects what the judge said for the judge's own errors.
"""

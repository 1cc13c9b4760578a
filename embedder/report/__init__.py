"""What a person reads of a run: counts in report.json, the page of the report stage."""

"""params.yaml: its models and its one reader. Empty on purpose: registries import `params.base` from here."""

"""The stages of the pipeline, one command line each: `python -m stages.mine DATASET`."""

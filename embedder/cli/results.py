"""`embedder results`: the table of results again, and where to look next."""


def results() -> None:
    """Print the table of results of the last run, and where to look next."""
    from embedder import layout
    from embedder.report.results import print_results

    print_results(layout.RESULTS)
    print(f"{layout.PAGE}  the report, one page")
    print(f"{layout.SHARDS}  the training data, Parquet")
    print("embedder show DATASET --random 1  a query with its mined candidates")

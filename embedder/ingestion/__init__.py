"""From what a loader read to the tables of ingest: cleaned, merged, divided, counted; of any size, on disk."""

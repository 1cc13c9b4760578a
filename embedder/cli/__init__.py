"""What a person types: the `embedder` command, and the frame that every stage's command line shares."""

"""Our pure functions, composed in the order of other systems, choose what those choose. Tests alone: no product mode."""

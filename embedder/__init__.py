"""Mine hard negatives, fine-tune embedding models. Empty on purpose: importing it must cost nothing."""

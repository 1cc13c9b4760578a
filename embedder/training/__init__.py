"""Training: shards and a recipe to adapters, one planned batch a step."""

"""The scale bench: a season of a whole country, planned in full, run in part."""

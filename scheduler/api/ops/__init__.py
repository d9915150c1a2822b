"""For operators: health, stats, metrics."""

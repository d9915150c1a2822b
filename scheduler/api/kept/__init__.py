"""The dialects of the systems before this one, kept for their clients."""

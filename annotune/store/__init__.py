"""What is kept in Redis: one class for each concern, over one connection."""

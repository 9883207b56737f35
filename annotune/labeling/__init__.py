"""A labeling config: what a task's page shows, and what of it a model fills."""

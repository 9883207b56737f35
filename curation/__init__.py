"""The dataset workflow: what people annotated, as examples to learn from."""

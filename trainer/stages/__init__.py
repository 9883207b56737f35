"""The stages of a training, in the order in which `trainer/pipeline.py` calls them."""

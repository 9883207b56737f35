"""Texts that Annotune ships: labeling configs, recipes, prices. No code."""

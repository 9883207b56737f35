"""Adapters to model servers. They turn the vendors' exceptions into ours."""

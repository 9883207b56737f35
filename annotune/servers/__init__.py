"""Adapters to model servers. A vendor's exceptions stop here."""

"""The words that every room speaks: values, settings, errors, and the adapters to Redis and to model servers."""

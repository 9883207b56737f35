"""From annotations to examples, and from a model to predictions. `curation.api` is the Python API."""

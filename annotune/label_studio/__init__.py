"""Label Studio by its API. The SDK's client stays inside this package, and its rows become frozen types here."""

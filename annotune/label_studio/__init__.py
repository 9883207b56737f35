"""Label Studio by its API: one client, and its rows parsed at the door."""

"""The door for the queue: annotations in, a served model out."""

"""The door for Label Studio: six routes over Flask."""

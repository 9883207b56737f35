"""The web application that Label Studio calls: six routes over Flask."""

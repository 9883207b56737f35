"""The command line: `annotune ...`. Each command parses its arguments, calls a function and prints the result."""

"""What is worth a look in a dataset: a module for each kind of finding."""

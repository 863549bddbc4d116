"""One way to run a network a module, each with its `ENGINES`. What needs torch is imported when it is made."""

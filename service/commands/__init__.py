"""What the verbs of the command line do; `service.cli` says how they are called."""

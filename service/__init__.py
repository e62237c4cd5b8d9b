"""The command line, and the live service around the model."""

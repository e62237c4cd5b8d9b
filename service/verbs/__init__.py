"""The verbs of the command line, a module each: its options and help text; `service.commands` does the work.

Nothing heavy is imported before a verb runs, so that `--help` and `--version` answer at once.
"""

COMMAND = "framewatch.command"
"""Where the context keeps the command line as it was typed."""

"""Where the `framewatch` command starts: Ctrl-C ends it quietly from the first import on."""

from __future__ import annotations


def main() -> None:
    """Runs the command line, and exits."""
    try:
        from service.cli import main as run

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # `faults.INTERRUPTED`, which may not be imported yet


if __name__ == "__main__":
    main()

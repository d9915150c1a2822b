"""``python -m scheduler.cli``: the command line of a checkout that is not installed."""

from scheduler.cli.main import main

if __name__ == "__main__":
    main()

"""``python -m bandwidth.commands``: the command line, for who has no console script at hand."""

from bandwidth.commands.main import main

if __name__ == "__main__":
    main()

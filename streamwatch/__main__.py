"""``python -m streamwatch``."""


def main() -> None:
    """The console script: the command line is imported only here."""
    from streamwatch.cli.app import app

    app()


if __name__ == "__main__":
    main()

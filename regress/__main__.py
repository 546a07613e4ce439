"""``python -m regress``: fit, score and predict."""

from regress.cli import main

if __name__ == "__main__":
    main()

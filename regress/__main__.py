"""``python -m regress``: fit, score and predict."""

from __future__ import annotations

from regress.cli import main

if __name__ == "__main__":
    main()

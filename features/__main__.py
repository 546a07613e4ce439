"""``python -m features``: the bank's commands."""

from __future__ import annotations

from features.cli import main

if __name__ == "__main__":
    main()

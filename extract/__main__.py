"""``python -m extract``: stage 1's command."""

from __future__ import annotations

from extract.cli import main

if __name__ == "__main__":
    main()

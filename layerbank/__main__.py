"""``python -m layerbank``: the same as the ``layerbank`` command."""

from __future__ import annotations

from layerbank.cli import main

if __name__ == "__main__":
    main()

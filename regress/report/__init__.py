"""What people look at: ``report.html`` in every run folder, its figures, and the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.lazy import lazy_exports

if TYPE_CHECKING:
    from regress.report.writing import write_report as write_report
else:
    __getattr__, __dir__, __all__ = lazy_exports(
        __name__, {"regress.report.writing": ["write_report"]}
    )

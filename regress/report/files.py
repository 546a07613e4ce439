"""What a run's folder calls its report, and the folder of its pictures."""

from __future__ import annotations

REPORT, FIGURES = "report.html", "figures"

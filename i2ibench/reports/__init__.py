"""Reports of evaluations."""

from i2ibench.reports.page import write_report
from i2ibench.reports.tables import score_lines

"""Reports of evaluations."""

from i2ibench.report.page import write_report
from i2ibench.report.tables import score_lines

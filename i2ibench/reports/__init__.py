"""Reports of evaluations, grids, data sets and studies."""

from i2ibench.reports.page import write_report
from i2ibench.reports.tables import score_lines

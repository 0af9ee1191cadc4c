#!/usr/bin/env bash
# episia 0.1.3 (2026): the risk ratio of Mantel and Haenszel takes the table by its other side. The tables of the package have the exposed in
# the first column; the formula is that for tables with the exposed in the first row, and so divides by cases and non-cases where it should
# by exposed and unexposed. With one stratum the pooled ratio should be the plain one: 30 of 100 exposed and 10 of 100 unexposed fell ill, a
# ratio of 3, which the same package gives for the table; pooled it is 1.71. The pooled difference of risks is 10.0 where it should be 0.2, as
# it sums numbers of people. The interval of the pooled odds ratio, 2.1 to 7.2 for 1.8 to 8.4, is too narrow as well; the pooled odds ratio
# itself is right.
#
# Found with Python 3.11.7, numpy 2.4.6, scipy 1.17.1, statsmodels 0.15.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet episia==0.1.3 numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0 pandas==2.3.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np
from episia.stats.contingency import Table2x2
from episia.stats.stratified import StratifiedTable, mantel_haenszel_or
from statsmodels.stats.contingency_tables import StratifiedTable as Other


def by_hand(strata):
    """Ratio and difference of the risks of the exposed and the unexposed, weighted by Mantel and Haenszel."""
    above = below = difference = weight = 0.0
    for sick, sick_unexposed, well, well_unexposed in strata:
        exposed, unexposed = sick + well, sick_unexposed + well_unexposed
        everybody = exposed + unexposed
        above += sick * unexposed / everybody
        below += sick_unexposed * exposed / everybody
        difference += (sick * unexposed - sick_unexposed * exposed) / everybody
        weight += exposed * unexposed / everybody
    return above / below, difference / weight


print(f"episia {version('episia')}; cells are exposed cases, unexposed cases, exposed non-cases, unexposed non-cases")
found = {}
for name, strata in (
    ("one stratum", [(30, 10, 70, 90)]),
    ("two strata", [(30, 10, 70, 90), (12, 9, 38, 141)]),
):
    tables = [Table2x2(*cells) for cells in strata]
    pooled = mantel_haenszel_or(StratifiedTable(tables, [str(number) for number in range(len(tables))]))
    plain = tables[0].risk_ratio().estimate
    other = Other([np.array(cells).reshape(2, 2) for cells in strata])
    ratio, difference = by_hand(strata)
    interval = other.oddsratio_pooled_confint()
    found[name] = pooled, ratio, difference, interval, other.oddsratio_pooled, plain
    print(f"{name}: risk ratio {pooled.common_rr:.2f}, by hand {ratio:.2f} (first table by itself {plain:.2f}); difference of risks {pooled.common_rd:.2f}, by hand {difference:.3f}")
    print(f"  odds ratio {pooled.common_or:.2f}, by statsmodels {other.oddsratio_pooled:.2f}; interval {pooled.or_ci[0]:.2f} to {pooled.or_ci[1]:.2f}, by statsmodels {interval[0]:.2f} to {interval[1]:.2f}")
one, two = found.values()
odds = all(abs(case[0].common_or - case[4]) < 1e-9 for case in found.values())
ratio = abs(one[5] - 3) < 1e-9 and abs(one[1] - 3) < 1e-9 and one[0].common_rr < 2 and abs(two[0].common_rr - two[1]) > 0.5
sys.exit(0 if odds and ratio and one[0].common_rd > 5 and one[2] < 0.21 and one[0].or_ci[0] > 1.1 * one[3][0] and one[0].or_ci[1] < 0.9 * one[3][1] else 1)
PYTHON

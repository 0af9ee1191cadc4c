#!/usr/bin/env bash
# tableone 0.9.6 (2026): to import it sets the seed of numpy's global generator to 1337, for the whole program. What is drawn afterwards
# without a generator of its own is the same in each run and each project: the order of a randomisation list, the split into training and
# test set by scikit-learn with no `random_state`, a bootstrap with `np.random.choice`. A seed that the program has set before the import is
# lost. Four processes that draw twenty patients into two arms make four lists without the import and one and the same with it, although no
# seed is named anywhere; repeating an analysis "with other seeds" by running it again shows no spread. It is the module that tests for
# several modes that does it, whether it is used or not.
#
# Found with Python 3.11.7, numpy 2.4.6, pandas 2.3.3, scikit-learn 1.8.0 on x86-64. Exits 0 while that is so, and 1 when it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tableone==0.9.6 numpy==2.4.6 pandas==2.3.3 scikit-learn==1.8.0
cat >"$folder/draw.py" <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore")
import numpy as np
from sklearn.model_selection import train_test_split

if sys.argv[1] == "with":
    import tableone
arms = "".join(np.random.permutation(list("AB" * 10)))
test = sorted(train_test_split(np.arange(20), test_size=5)[1].tolist())
print(f"arms {arms}, test set {test}")
PYTHON
"$folder/venv/bin/python" - "$folder/draw.py" <<'PYTHON'
import subprocess
import sys
import warnings
from importlib.metadata import version

warnings.filterwarnings("ignore")
import numpy as np

print(f"tableone {version('tableone')}")
lines = {}
for name in ("without", "with"):
    lines[name] = [subprocess.run([sys.executable, sys.argv[1], name], check=True, capture_output=True, text=True).stdout.strip() for _ in range(4)]
    for line in lines[name]:
        print(f"{name} the import: {line}")

np.random.seed(5)
expected = np.random.random()
np.random.seed(5)
import tableone  # noqa: E402

after = np.random.random()
np.random.seed(1337)
print(f"first value for the seed 5: {expected:.6f}; with the import in between {after:.6f}; for the seed 1337 {np.random.random():.6f}")
np.random.seed(1337)
same = after == np.random.random() != expected
sys.exit(0 if len(set(lines["without"])) > 1 and len(set(lines["with"])) == 1 and same else 1)
PYTHON

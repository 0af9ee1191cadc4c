"""``python -m alnm.radiomics``."""

import sys

from alnm.radiomics.command import main

sys.exit(main())

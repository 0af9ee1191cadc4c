"""The entry point of ``python -m alnm.radiomics``; see :mod:`alnm.radiomics.command`."""

import sys

from alnm.radiomics.command import main

sys.exit(main())

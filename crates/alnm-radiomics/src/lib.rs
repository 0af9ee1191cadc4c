//! Radiomic features equal to PyRadiomics, with the IBSI profile beside it.

//! Feature selection: variance, univariate screens, correlation filter, mRMR, LASSO path and cross-validation, linear signatures.

//! Biostatistics for prediction models: hypothesis tests, ROC and DeLong, calibration, decision curves, agreement, bootstrap.

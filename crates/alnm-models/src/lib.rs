//! Logistic regression with full inference, LightGBM-style gradient boosting, subset search, model sets, nomograms.

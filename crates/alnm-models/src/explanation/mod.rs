//! Explanations of predictions: Shapley values, permutation importance, partial dependence.

pub mod linear_shap;
pub mod partial_dependence;
pub mod permutation_importance;
pub mod tree_shap;

//! From matrices and distributions to the values of a family.

use super::definition::{Aggregation, IbsiFamily};
use crate::feature::{FeatureId, FeatureValue, Formula};
use crate::summation::mean_of_defined;

/// The values of a family's features for one set of data, in the order of the reference manual.
pub(crate) fn values<M>(family: IbsiFamily, formulas: &[Formula<M>], data: &M) -> Vec<f64> {
    let formulas = family.definitions().iter().map(|definition| formulas.iter().find(|f| f.defines(definition)));
    // The registry's test finds a formula for every definition.
    formulas.map(|formula| formula.map_or(f64::NAN, |formula| (formula.value)(data))).collect()
}

/// The features of a family without matrices.
pub(crate) fn evaluate<M>(family: IbsiFamily, formulas: &[Formula<M>], data: &M) -> Vec<FeatureValue> {
    named(family, None, values(family, formulas, data))
}

/// The features of a family as means over several sets of [`values`]. What a set does not define is left out; NaN when
/// none does.
pub(crate) fn means(family: IbsiFamily, aggregation: Aggregation, sets: &[Vec<f64>]) -> Vec<FeatureValue> {
    let mean = |place: usize| mean_of_defined(sets.iter().map(|values| values[place]));
    named(family, Some(aggregation), (0..family.definitions().len()).map(mean).collect())
}

fn named(family: IbsiFamily, aggregation: Option<Aggregation>, values: Vec<f64>) -> Vec<FeatureValue> {
    let with_id = |(&feature, value)| FeatureValue { id: FeatureId::Ibsi { feature, aggregation }, value };
    family.definitions().iter().zip(values).map(with_id).collect()
}

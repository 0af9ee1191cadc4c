//! A risk model as a page to type values into.

use alnm_models::RiskModel;
use alnm_models::nomogram::Nomogram;
use alnm_stats::distribution::normal_quantile;
use anyhow::Result;

/// Marks of the nomogram's risk axis.
const RISKS: [f64; 13] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

/// Level of the interval that the page prints.
const LEVEL: f64 = 0.95;

/// A self-contained HTML page that computes the risk of typed values, its 95 % interval and what each value adds, and
/// draws the nomogram. It needs no network; values may be given behind `#` in its address, as in
/// `calculator.html#age=50&MTD=2.5`.
///
/// # Errors
/// For a model without variables that vary.
pub fn page(model: &RiskModel) -> Result<String> {
    let nomogram = Nomogram::new(model, &RISKS)?;
    // Inside a script element only this could end the text early.
    let embedded = |json: String| json.replace('<', "\\u003c");
    Ok(include_str!("calculator.html")
        .replace("@Z@", &normal_quantile(0.5 + LEVEL / 2.0).to_string())
        .replace("@NOMOGRAM@", &embedded(serde_json::to_string(&nomogram)?))
        .replace("@MODEL@", &embedded(serde_json::to_string_pretty(model)?)))
}

//! From a table with holes to a pooled model: chained equations with the outcome among the predictors, the convergence
//! of the chains, a logistic regression pooled by Rubin's rules, its performance in another cohort whose holes are
//! filled without the outcome, and the risk of one patient who lacks a value.
//!
//! Both cohorts are simulated: counts of blood cells, of which one in seven is missing, the systemic
//! immune-inflammation index that is computed from them, a grade, and the outcome.
//!
//! ```text
//! cargo run -p alnm-imputation --example pooled_model
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;

use alnm_imputation::patient::assess_incomplete;
use alnm_imputation::pooling::PoolingParams;
use alnm_imputation::{ChainedEquationsParams, VariablePlan};
use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams, Measurement, RiskModel, Variable};
use alnm_stats::roc::{Direction, RocCurve};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;

const PREDICTORS: [&str; 2] = ["log SII", "grade"];

fn main() -> Result<(), Box<dyn Error>> {
    let (training, validation) = (simulated(212, 1)?, simulated(121, 2)?);
    let labels = Labels::from_values(&training.column("nodes")?.to_vec())?;

    let equations = ChainedEquationsParams::new(vec![
        VariablePlan::numeric("neutrophils").with_unit("10^9/L"),
        VariablePlan::numeric("platelets").with_unit("10^9/L"),
        VariablePlan::numeric("lymphocytes").with_unit("10^9/L"),
        VariablePlan::passive("log SII", "log(neutrophils * platelets / lymphocytes)")?,
        VariablePlan::ordinal("grade"),
    ])
    .with_outcome(VariablePlan::binary("nodes"))
    .with_seed(1)
    .check()?;
    let imputed = equations.impute(&training)?;
    for count in imputed.missing() {
        println!("{}: {} of {} values missing", count.variable, count.missing, count.rows);
    }
    for trace in imputed.traces() {
        println!("{}: R-hat of the means {:.2}", trace.variable, trace.r_hat_of_mean());
    }
    for event in imputed.events() {
        println!("{}: {:?} {:?}, {} times", event.variable, event.kind, event.predictors, event.times);
    }

    let predictors = PREDICTORS.map(str::to_owned);
    let models = imputed
        .completed()
        .iter()
        .map(|table| LogisticModel::fit(&table.select(&predictors)?, &labels, &LogisticParams::default()))
        .collect::<Result<Vec<_>, _>>()?;
    let rules = PoolingParams::default().check()?;
    for c in rules.pool_logistic(&models)?.coefficients {
        println!(
            "{}: {:.3} ({:.3} to {:.3}), p {:.4}, fraction of missing information {:.2}",
            c.name, c.estimate, c.interval.lower, c.interval.upper, c.p_value, c.fraction_missing_information
        );
    }

    // The other cohort is completed without its outcome; each completed table is judged by the model of its imputation.
    let completing = imputed.model();
    let outcomes = Labels::from_values(&validation.column("nodes")?.to_vec())?;
    let mut curves = Vec::new();
    for (table, model) in completing.impute(&validation)?.iter().zip(&models) {
        curves.push(RocCurve::new(&outcomes, &model.predict(table)?, Direction::HigherIsPositive)?);
    }
    let area = rules.pool_auc(&curves)?;
    println!("validation: AUC {:.3} ({:.3} to {:.3})", area.estimate, area.interval.lower, area.interval.upper);

    // A patient without a count of lymphocytes, by the model of the first completed table.
    let units = [Variable::new("log SII", ""), Variable::new("grade", "")];
    let first = imputed.completed()[0].select(&predictors)?;
    let risk = RiskModel::new("index and grade", &models[0], &units, &first, "212 simulated patients")?;
    let patient = [
        Measurement::new("neutrophils", "10^9/L", 6.1),
        Measurement::new("platelets", "10^9/L", 310.0),
        Measurement::new("grade", "", 3.0),
    ];
    let answer = assess_incomplete(&risk, &completing, &patient, 0.95)?;
    println!(
        "patient: risk {:.2} ({:.2} to {:.2}), of the variance {:.0} % for the missing count",
        answer.risk,
        answer.interval.lower,
        answer.interval.upper,
        100.0 * answer.log_odds.proportion_missing
    );
    Ok(())
}

/// Log-normal counts, a grade of 1 to 3, and nodes that hang on both; a seventh of counts and grades is missing.
fn simulated(patients: usize, seed: u64) -> Result<FeatureTable, alnm_selection::SelectionError> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut columns = vec![Vec::new(); 5];
    for _ in 0..patients {
        let mut normal = || generator.sample::<f64, _>(StandardNormal);
        let inflammation = normal();
        let neutrophils = (1.4 + 0.25 * inflammation + 0.15 * normal()).exp();
        let platelets = (5.5 + 0.15 * inflammation + 0.2 * normal()).exp();
        let lymphocytes = (0.6 - 0.2 * inflammation + 0.15 * normal()).exp();
        let grade = (2.0 + 0.8 * normal()).round().clamp(1.0, 3.0);
        let index = (neutrophils * platelets / lymphocytes).ln();
        let eta = 1.2 * (index - 6.3) + 0.6 * (grade - 2.0) - 0.2;
        let nodes = generator.random::<f64>() < 1.0 / (1.0 + (-eta).exp());
        for (column, value) in columns.iter_mut().zip([neutrophils, platelets, lymphocytes, grade]) {
            column.push(if generator.random::<f64>() < 1.0 / 7.0 { f64::NAN } else { value });
        }
        columns[4].push(f64::from(u8::from(nodes)));
    }
    let names = ["neutrophils", "platelets", "lymphocytes", "grade", "nodes"];
    FeatureTable::from_columns(names.iter().map(|&name| name.to_owned()).zip(columns).collect())
}

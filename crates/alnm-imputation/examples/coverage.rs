//! How often 95 % intervals contain the true value over simulated cohorts: with multiple imputation, with complete
//! cases, and before values were removed. Prints the table of docs/validation.md.
//!
//! A cohort has 212 patients, two correlated normal predictors x1 and x2, a binary x3 that depends on x1, and an
//! outcome by a logistic model with the coefficients 0.8, −0.5 and 0.6. A fifth of x1 and of x3 is missing at random:
//! the probability that a value is missing depends on the outcome and x2, which are complete. Complete cases are then
//! biased in the coefficient of x2 and in the intercept, since the product of outcome and x2 decides who stays.
//!
//! ```text
//! cargo run --release -p alnm-imputation --example coverage -- [COHORTS] [IMPUTATIONS]
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;

use alnm_imputation::pooling::PoolingParams;
use alnm_imputation::{ChainedEquationsParams, ImputationMethod, VariablePlan};
use alnm_models::{FeatureTable, Labels, LogisticModel, LogisticParams};
use alnm_stats::Interval;
use alnm_stats::missing::Missing;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::StandardNormal;
use rayon::prelude::*;

const TERMS: [(&str, f64); 4] = [("(Intercept)", -0.6), ("x1", 0.8), ("x2", -0.5), ("x3", 0.6)];
const PATIENTS: usize = 212;
const WAYS: [&str; 4] = ["before deletion", "complete cases", "imputed, norm", "imputed, pmm"];

/// The interval and the estimate of each term, one row for each way; a way that failed has none.
type Answers = Vec<Option<Vec<(f64, Interval)>>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let cohorts: u64 = arguments.next().map_or(Ok(1000), |count| count.parse())?;
    let imputations: usize = arguments.next().map_or(Ok(20), |count| count.parse())?;
    let answers: Vec<Answers> = (0..cohorts)
        .into_par_iter()
        .map(|seed| analysed(seed, imputations).map_err(|error| error.to_string()))
        .collect::<Result<_, _>>()?;
    println!("{cohorts} cohorts of {PATIENTS}, {imputations} imputations, 10 iterations");
    println!(
        "| analysis | term | truth | mean estimate | bias in SE of the simulation | coverage of 95 % intervals | mean width |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (place, way) in WAYS.iter().enumerate() {
        for (t, (term, truth)) in TERMS.iter().enumerate() {
            let found: Vec<(f64, Interval)> =
                answers.iter().filter_map(|answer| answer[place].as_ref().map(|terms| terms[t])).collect();
            let n = found.len() as f64;
            let mean = found.iter().map(|(estimate, _)| estimate).sum::<f64>() / n;
            let variance = found.iter().map(|(estimate, _)| (estimate - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let covered = found.iter().filter(|(_, interval)| interval.contains(*truth)).count() as f64 / n;
            let width = found.iter().map(|(_, interval)| interval.upper - interval.lower).sum::<f64>() / n;
            let bias = (mean - truth) / (variance / n).sqrt();
            println!("| {way} | {term} | {truth} | {mean:.3} | {bias:+.1} | {:.1} % | {width:.2} |", 100.0 * covered);
        }
    }
    let incomplete: f64 = (0..20).map(|seed| cohort(seed).map(|c| c.share_incomplete)).sum::<Result<f64, _>>()? / 20.0;
    println!("share of patients who lack a value: {:.0} %", 100.0 * incomplete);
    Ok(())
}

struct Cohort {
    whole: FeatureTable,
    holes: FeatureTable,
    labels: Labels,
    share_incomplete: f64,
}

fn cohort(seed: u64) -> Result<Cohort, alnm_selection::SelectionError> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let expit = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut whole, mut holes) = (vec![Vec::new(); 3], vec![Vec::new(); 3]);
    let (mut labels, mut incomplete) = (Vec::new(), 0_usize);
    for _ in 0..PATIENTS {
        let x1: f64 = generator.sample(StandardNormal);
        let x2 = 0.5 * x1 + 0.75_f64.sqrt() * generator.sample::<f64, _>(StandardNormal);
        let x3 = f64::from(u8::from(generator.random::<f64>() < expit(0.7 * x1 - 0.2)));
        let eta = TERMS[0].1 + TERMS[1].1 * x1 + TERMS[2].1 * x2 + TERMS[3].1 * x3;
        let event = generator.random::<f64>() < expit(eta);
        let missing = expit(if event { -1.2 + 1.8 * x2 } else { -2.0 - 0.6 * x2 });
        let holds = [generator.random::<f64>() < missing, false, generator.random::<f64>() < missing];
        incomplete += usize::from(holds.contains(&true));
        for (place, value) in [x1, x2, x3].into_iter().enumerate() {
            whole[place].push(value);
            holes[place].push(if holds[place] { f64::NAN } else { value });
        }
        labels.push(event);
    }
    let table = |columns: Vec<Vec<f64>>| {
        FeatureTable::from_columns(TERMS[1..].iter().map(|(name, _)| (*name).to_owned()).zip(columns).collect())
    };
    let share_incomplete = incomplete as f64 / PATIENTS as f64;
    Ok(Cohort { whole: table(whole)?, holes: table(holes)?, labels: Labels::new(labels), share_incomplete })
}

fn analysed(seed: u64, imputations: usize) -> Result<Answers, Box<dyn Error>> {
    let Cohort { whole, holes, labels, .. } = cohort(seed)?;
    let of_model = |model: &LogisticModel| -> Option<Vec<(f64, Interval)>> {
        model.converged().then(|| model.terms().iter().map(|term| (term.estimate, term.interval)).collect())
    };
    let params = LogisticParams::default();
    let omitting = params.clone().with_missing(Missing::Omit);
    let mut answers = vec![
        of_model(&LogisticModel::fit(&whole, &labels, &params)?),
        of_model(&LogisticModel::fit(&holes, &labels, &omitting)?),
    ];
    let with_outcome = holes.beside(&FeatureTable::from_columns(vec![("y".to_owned(), labels.to_values())])?)?;
    for method in [ImputationMethod::BayesianLinear, ImputationMethod::MeanMatching { donors: 5 }] {
        let imputed = ChainedEquationsParams::new(vec![
            VariablePlan::numeric("x1").with_method(method),
            VariablePlan::numeric("x2"),
            VariablePlan::binary("x3"),
        ])
        .with_outcome(VariablePlan::binary("y"))
        .with_imputations(imputations)
        .with_seed(seed)
        .check()?
        .impute(&with_outcome)?;
        let models = imputed
            .completed()
            .iter()
            .map(|table| LogisticModel::fit(table, &labels, &params))
            .collect::<Result<Vec<_>, _>>()?;
        let pooled = PoolingParams::default().check()?.pool_logistic(&models)?;
        answers.push(Some(pooled.coefficients.iter().map(|c| (c.estimate, c.interval)).collect()));
    }
    Ok(answers)
}

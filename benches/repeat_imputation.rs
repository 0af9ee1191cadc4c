//! Multiple imputation of the table that `benches/compare_imputation.py` writes, timed in-process.
//!
//! `repeat_imputation FILE IMPUTATIONS ITERATIONS` reads a CSV whose header says the kind of each column (`numeric`,
//! `binary`, `nominal` or `ordinal`, then a space and the name), imputes it three times, and prints the seconds of each run.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Instant;

use alnm_imputation::{ChainedEquationsParams, VariablePlan};
use alnm_models::FeatureTable;

fn plan(header: &str) -> Result<VariablePlan, Box<dyn Error>> {
    let (kind, name) = header.split_once(' ').ok_or("the header must read `kind name`")?;
    Ok(match kind {
        "numeric" => VariablePlan::numeric(name),
        "binary" => VariablePlan::binary(name),
        "nominal" => VariablePlan::nominal(name),
        "ordinal" => VariablePlan::ordinal(name),
        other => return Err(format!("the kind {other:?} is unknown").into()),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, imputations, iterations] = &arguments[..] else {
        return Err("usage: repeat_imputation FILE IMPUTATIONS ITERATIONS".into());
    };
    let mut reader = csv::Reader::from_path(file)?;
    let plans = reader.headers()?.iter().map(plan).collect::<Result<Vec<_>, _>>()?;
    let mut columns: Vec<(String, Vec<f64>)> = plans.iter().map(|plan| (plan.name.clone(), Vec::new())).collect();
    for record in reader.records() {
        for ((_, column), field) in columns.iter_mut().zip(&record?) {
            column.push(if field == "NA" { f64::NAN } else { field.parse()? });
        }
    }
    let table = FeatureTable::from_columns(columns)?;
    let equations = ChainedEquationsParams::new(plans)
        .with_imputations(imputations.parse()?)
        .with_iterations(iterations.parse()?)
        .with_seed(1)
        .check()?;
    for _ in 0..3 {
        let start = Instant::now();
        let imputed = equations.impute(&table)?;
        let seconds = start.elapsed().as_secs_f64();
        imputed.completed()[0].require_finite()?;
        println!("{seconds:.4}");
    }
    Ok(())
}

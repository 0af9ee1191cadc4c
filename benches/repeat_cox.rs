//! The Rust side of `benches/compare_cox.py`.
//!
//! `repeat_cox write FILE ROWS COLUMNS` writes a cohort with censoring and tied times; `repeat_cox fit FILE REPEATS`
//! prints the median seconds of a fit and the peak memory in MiB, then the coefficients.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use alnm_models::cox::{CoxModel, CoxParams};
use alnm_models::{FeatureTable, FollowUp};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, StandardNormal};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["write", file, rows, columns] => write(file, rows.parse()?, columns.parse()?),
        ["fit", file, repeats] => fit(file, repeats.parse()?),
        _ => Err("give: write FILE ROWS COLUMNS, or: fit FILE REPEATS".into()),
    }
}

fn write(file: &str, rows: usize, columns: usize) -> Result<(), Box<dyn Error>> {
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let mut out = std::io::BufWriter::new(fs::File::create(file)?);
    let names: Vec<String> = (0..columns).map(|j| format!("x{j}")).collect();
    writeln!(out, "time,event,{}", names.join(","))?;
    for _ in 0..rows {
        let x: Vec<f64> = (0..columns).map(|_| StandardNormal.sample(&mut generator)).collect();
        let eta: f64 = x.iter().enumerate().map(|(j, v)| v * 0.3 / (1.0 + j as f64)).sum();
        let waiting: [f64; 2] = [Exp1.sample(&mut generator), Exp1.sample(&mut generator)];
        let (event, censored) = (10.0 * waiting[0] * (-eta).exp(), 15.0 * waiting[1]);
        // Days of a year, so that times tie.
        let time = (event.min(censored) * 365.0).ceil() / 365.0;
        let values: Vec<String> = x.iter().map(|v| format!("{v:.6}")).collect();
        writeln!(out, "{time},{},{}", u8::from(event <= censored), values.join(","))?;
    }
    Ok(out.flush()?)
}

fn fit(file: &str, repeats: usize) -> Result<(), Box<dyn Error>> {
    let mut reader = csv::Reader::from_path(file)?;
    let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let mut columns = vec![Vec::new(); names.len()];
    for record in reader.records() {
        for (column, field) in columns.iter_mut().zip(&record?) {
            column.push(field.parse::<f64>()?);
        }
    }
    let predictors = columns.split_off(2);
    let events = columns[1].iter().map(|event| *event == 1.0).collect();
    let follow_up = FollowUp::new(columns.swap_remove(0), events)?;
    let table = FeatureTable::from_columns(names[2..].iter().cloned().zip(predictors).collect())?;
    let mut times = Vec::new();
    let mut coefficients = Vec::new();
    for _ in 0..repeats.max(1) {
        let start = Instant::now();
        let model = black_box(CoxModel::fit(&table, &follow_up, &CoxParams::default())?);
        times.push(start.elapsed().as_secs_f64());
        coefficients = model.terms().iter().map(|term| term.estimate).collect();
    }
    times.sort_unstable_by(f64::total_cmp);
    println!("{} {}", times[times.len() / 2], peak_memory());
    coefficients.iter().for_each(|coefficient: &f64| println!("{coefficient}"));
    Ok(())
}

/// Peak resident memory in MiB where the system tells it, else NaN.
fn peak_memory() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).map_or(f64::NAN, |kib| kib / 1024.0)
}

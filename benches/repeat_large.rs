//! Times one call on large data that `benches/compare_large_statistics.py` writes, and prints medians of the time and of the
//! processor time, the peak memory and a value to compare.
//!
//! `repeat_large CALL FILE ROWS COLUMNS REPEATS`; the file holds the columns one after the other as 64-bit floats, the
//! labels first where the call needs them. One line is printed: seconds, processor seconds of all threads, MiB, value. How far
//! a LASSO path is from its optimality conditions is said on standard error.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use alnm_benches::violations;
use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
use alnm_selection::elastic_net::{ElasticNetParams, PathPrecision, binomial_path};
use alnm_selection::{FeatureTable, Labels};
use alnm_stats::contingency::CountTable;
use alnm_stats::correlation::{Correlation, PairRows, correlation_matrix};
use alnm_stats::delong::auc_estimate;
use alnm_stats::fisher::{FisherMethod, any_size};
use alnm_stats::roc::{Direction, RocCurve};
use cpu_time::ProcessTime;
use ndarray::{Array2, s};

/// A call's median seconds and processor seconds, after one call to warm up, and its last value.
struct Timed<T> {
    seconds: f64,
    processor_seconds: f64,
    value: T,
}

fn time<T>(repeats: usize, mut call: impl FnMut() -> Result<T, Box<dyn Error>>) -> Result<Timed<T>, Box<dyn Error>> {
    let mut value = call()?;
    let (mut times, mut processor_times) = (Vec::with_capacity(repeats), Vec::with_capacity(repeats));
    for _ in 0..repeats {
        let (start, processor_start) = (Instant::now(), ProcessTime::now());
        value = black_box(call()?);
        times.push(start.elapsed().as_secs_f64());
        processor_times.push(processor_start.elapsed().as_secs_f64());
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_unstable_by(f64::total_cmp);
        times[times.len() / 2]
    };
    Ok(Timed { seconds: median(&mut times), processor_seconds: median(&mut processor_times), value })
}

/// Largest resident size of this process so far, in MiB.
fn peak_memory() -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM")).ok_or("no VmHWM")?;
    Ok(line.split_whitespace().nth(1).ok_or("no size")?.parse::<f64>()? / 1024.0)
}

/// The path that a call asks for.
fn lasso_params(call: &str) -> ElasticNetParams {
    let params = ElasticNetParams::default();
    match call {
        "lasso to 1e-2" => params.with_precision(PathPrecision::OptimalityConditions(1e-2)),
        _ => params,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [call, file, rows, columns, repeats] = &arguments[..] else {
        return Err("usage: repeat_large CALL FILE ROWS COLUMNS REPEATS".into());
    };
    let (rows, columns, repeats): (usize, usize, usize) = (rows.parse()?, columns.parse()?, repeats.parse()?);
    let bytes = std::fs::read(file)?;
    let values: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    drop(bytes);
    let by_column = Array2::from_shape_vec((columns, rows), values)?;
    let labels = || Labels::from_values(&by_column.row(0).to_vec());
    let table = || {
        let names = (1..columns).map(|j| format!("x{j}")).collect();
        FeatureTable::new(names, by_column.slice(s![1.., ..]).t().as_standard_layout().into_owned())
    };
    let timed = match call.as_str() {
        "fisher" => {
            let counts: Vec<Vec<u64>> = by_column.rows().into_iter().map(|c| c.map(|v| *v as u64).to_vec()).collect();
            let counts = CountTable::from_rows(&counts.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
            time(repeats, || Ok(any_size(&counts, FisherMethod::default())?.p_value))?
        }
        "pearson" | "spearman" => {
            let kind = if call == "pearson" { Correlation::Pearson } else { Correlation::Spearman };
            let x = by_column.t().as_standard_layout().into_owned();
            let matrix = || Ok(correlation_matrix(x.view(), kind, PairRows::Everything)?[[columns - 1, 0]]);
            time(repeats, matrix)?
        }
        "lasso" | "lasso to 1e-2" => {
            let (labels, table) = (labels()?, table()?);
            let params = lasso_params(call);
            let path = || {
                let path = binomial_path(&table, &labels, &params)?;
                Ok(path.deviance_ratio()[path.lambda().len() - 1])
            };
            time(repeats, path)?
        }
        "boosting" | "predictions" => {
            let (labels, table) = (labels()?, table()?);
            let fit = || Ok(GradientBoosting::fit(&table, &labels, &BoostingParams::default())?);
            if call == "boosting" {
                let timed = time(repeats, fit)?;
                let mean = timed.value.predict(&table)?.iter().sum::<f64>() / rows as f64;
                Timed { seconds: timed.seconds, processor_seconds: timed.processor_seconds, value: mean }
            } else {
                let model = fit()?;
                time(repeats, || Ok(model.predict(&table)?[rows - 1]))?
            }
        }
        "delong" => {
            let (labels, scores) = (labels()?, by_column.row(1).to_vec());
            let curve = || RocCurve::new(&labels, &scores, Direction::HigherIsPositive);
            time(repeats, || Ok(auc_estimate(&curve()?, 0.95)?.interval.lower))?
        }
        _ => return Err(format!("call {call} is unknown").into()),
    };
    let Timed { seconds, processor_seconds, value } = timed;
    println!("{seconds:e} {processor_seconds:e} {:.1} {value:.15e}", peak_memory()?);
    if call.starts_with("lasso") {
        let (labels, table) = (labels()?, table()?);
        let (largest, median) = violations(&binomial_path(&table, &labels, &lasso_params(call))?, &table, &labels);
        eprintln!("{call}: alnm violates the conditions by up to {largest:.2e} lambda, in the median {median:.2e}");
    }
    Ok(())
}

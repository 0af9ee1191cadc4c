#![allow(clippy::print_stdout, missing_docs)]
use alnm_selection::elastic_net::{ElasticNetParams, Precision, binomial_path};
use alnm_selection::{FeatureTable, Labels};
fn main() {
    let mut reader = csv::Reader::from_path("/tmp/statdata/cohort.csv").unwrap();
    let mut columns: Vec<(String, Vec<f64>)> = reader.headers().unwrap().iter().map(|name| (name.to_owned(), Vec::new())).collect();
    for record in reader.records() {
        for (column, field) in columns.iter_mut().zip(&record.unwrap()) {
            column.1.push(field.parse().unwrap());
        }
    }
    let f = columns.split_off(2);
    let labels = Labels::from_values(&columns[0].1).unwrap();
    let table = FeatureTable::from_columns(f).unwrap();
    let tol: f64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let reps: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let p = ElasticNetParams {
        precision: if tol > 0.0 { Precision::OptimalityConditions(tol) } else { Precision::default() },
        ..ElasticNetParams::default()
    };
    let path = binomial_path(&table, &labels, &p).unwrap();
    println!("passes {} lambdas {} df {:?}", path.passes, path.lambda.len(), path.degrees_of_freedom());
    let t = std::time::Instant::now();
    for _ in 0..reps {
        std::hint::black_box(binomial_path(&table, &labels, &p).unwrap());
    }
    println!("{:.3} ms", t.elapsed().as_secs_f64() * 1e3 / reps as f64);
}

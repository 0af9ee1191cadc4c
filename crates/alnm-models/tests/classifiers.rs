//! Comparison classifiers: they find what there is to find, and nothing where there is nothing.

use alnm_models::classifiers::{Classifier, ClassifierParams, CrossFittedRisks};
use alnm_models::folds::{FoldOrder, Folds};
use alnm_models::{FeatureTable, Labels, ModelError};
use alnm_stats::roc::{Direction, RocCurve};
use ndarray::Array2;

const ALL: [fn() -> Classifier; 4] = [
    || Classifier::RandomForest { trees: 60, features_per_split: None, rows_per_leaf: 5 },
    Classifier::support_vector_machine,
    Classifier::nearest_neighbours,
    || Classifier::NaiveBayes,
];

/// Numbers between 0 and 1 that follow no pattern.
fn noise(seed: u64) -> f64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) as f64 / u64::MAX as f64
}

/// Six features of 150 rows, of which one is constant; two carry the outcome if it is not random.
fn cohort(random: bool) -> (FeatureTable, Labels, Folds) {
    let value = |row: usize, column: usize| if column == 5 { 1.0 } else { noise((row * 7 + column) as u64) };
    let table = Array2::from_shape_fn((150, 6), |(row, column)| value(row, column));
    let names = (0..6).map(|column| format!("x{column}")).collect();
    let of_row = |row: usize| {
        let signal = if random { 0.0 } else { value(row, 0) + value(row, 1) - 1.0 };
        signal + 0.4 * (noise(10_000 + row as u64) - 0.5) > 0.0
    };
    let labels = Labels::new((0..150).map(of_row).collect());
    let folds = Folds::stratified(&labels, 5, FoldOrder::Shuffled { seed: 3 }).expect("enough rows");
    (FeatureTable::new(names, table).expect("unique names"), labels, folds)
}

fn cross_fit(classifier: Classifier, cohort: &(FeatureTable, Labels, Folds)) -> CrossFittedRisks {
    let classifier = ClassifierParams::new(classifier).with_seed(7).check().expect("within range");
    classifier.cross_fit(&cohort.0, &cohort.1, &cohort.2).expect("a cohort that can be learned from")
}

fn area(cohort: &(FeatureTable, Labels, Folds), risks: &[f64]) -> f64 {
    RocCurve::new(&cohort.1, risks, Direction::HigherIsPositive).expect("both classes").auc()
}

#[test]
fn they_find_what_is_there_and_nothing_else() {
    let (found, nothing) = (cohort(false), cohort(true));
    for classifier in ALL {
        let fitted = cross_fit(classifier(), &found);
        let auc = area(&found, &fitted.risks);
        assert!(auc > 0.85, "{}: {auc}", fitted.classifier);
        // Calibrated: risks are on average what happens, and better than the prevalence for everybody.
        let outcomes = found.1.to_values();
        let mean = fitted.risks.iter().sum::<f64>() / 150.0;
        assert!((mean - found.1.prevalence()).abs() < 0.05, "{}: {mean}", fitted.classifier);
        let brier = |risk: &dyn Fn(usize) -> f64| (0..150).map(|i| (risk(i) - outcomes[i]).powi(2)).sum::<f64>();
        assert!(brier(&|i| fitted.risks[i]) < 0.8 * brier(&|_| found.1.prevalence()), "{}", fitted.classifier);
        let chance = area(&nothing, &cross_fit(classifier(), &nothing).risks);
        assert!((0.3..0.7).contains(&chance), "{}: {chance} without a signal", fitted.classifier);
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let cohort = cohort(false);
    for classifier in ALL {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| cross_fit(classifier(), &cohort))
        };
        assert_eq!(on(1), on(3));
    }
}

#[test]
fn a_held_out_row_takes_no_part_in_its_own_risk() {
    let mut cohort = cohort(false);
    let before: Vec<CrossFittedRisks> = ALL.iter().map(|classifier| cross_fit(classifier(), &cohort)).collect();
    // The outcome of row 0 changes what is learned for the other folds only.
    let mut outcomes = cohort.1.as_slice().to_vec();
    outcomes[0] = !outcomes[0];
    cohort.1 = Labels::new(outcomes);
    let own = cohort.2.assignment()[0];
    for (classifier, before) in ALL.iter().zip(&before) {
        let after = cross_fit(classifier(), &cohort);
        let rows = (0..150).filter(|&row| cohort.2.assignment()[row] == own);
        assert!(rows.into_iter().all(|row| after.risks[row] == before.risks[row]), "{}", after.classifier);
    }
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let (table, labels, folds) = cohort(false);
    let run = |params: ClassifierParams, table: &FeatureTable| -> Result<CrossFittedRisks, ModelError> {
        params.check()?.cross_fit(table, &labels, &folds)
    };
    let sentence = |params, table: &FeatureTable| run(params, table).expect_err("refused").to_string();
    let neighbours = |neighbours| ClassifierParams::new(Classifier::NearestNeighbours { neighbours });
    assert_eq!(sentence(neighbours(0), &table), "number of neighbours is 0; it must be at least 1");
    assert_eq!(
        sentence(neighbours(1000), &table),
        "number of neighbours is 1000; it must be the number of training rows at most"
    );
    let machine = |cost| ClassifierParams::new(Classifier::SupportVectorMachine { cost, gamma: None });
    assert_eq!(
        sentence(machine(-1.0), &table),
        "cost of the support vector machine is -1; it must be finite and above 0"
    );
    let constant = FeatureTable::new(vec!["x".into()], Array2::ones((150, 1))).expect("one column");
    let missing = FeatureTable::new(vec!["x".into()], Array2::from_elem((150, 1), f64::NAN)).expect("one column");
    for table in [&constant, &missing] {
        for classifier in ALL {
            assert!(matches!(run(ClassifierParams::new(classifier()), table), Err(ModelError::Selection(_))));
        }
    }
}

//! Results written as JSON and read back.
#![cfg(feature = "serde")]

use alnm_stats::Labels;
use alnm_stats::roc::{Direction, RocCurve};
use alnm_stats::table_one::{Characteristic, TableOne, TableOneParams};

#[test]
fn results_survive_serialisation() {
    let labels = Labels::new(vec![false, true, false, true, true]);
    let roc = RocCurve::new(&labels, &[0.1, 0.3, 0.35, 0.8, 0.7], Direction::HigherIsPositive).expect("both classes");
    // The curve holds infinite thresholds, which JSON has no number for.
    let json = serde_json::to_string(&roc).expect("a JSON form");
    assert_eq!(serde_json::from_str::<RocCurve>(&json).expect("the same form"), roc);
    let table =
        TableOne::new(&labels, &[Characteristic::continuous("constant", "", vec![1.0; 5])], TableOneParams::default())
            .expect("both classes");
    let json = serde_json::to_string(&table).expect("a JSON form");
    assert_eq!(serde_json::from_str::<TableOne>(&json).expect("the same form").rows()[0].variable, "constant");
}

//! Text read as a LightGBM model, which predicts what was never seen; written and read again it is the same.
#![no_main]

use alnm_models::gradient_boosting::GradientBoosting;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(model) = GradientBoosting::from_lightgbm_text(text)
        && let Ok(written) = model.to_lightgbm_text()
    {
        let again = GradientBoosting::from_lightgbm_text(&written).expect("what was written is read");
        assert_eq!(again.trees().len(), model.trees().len());
    }
});

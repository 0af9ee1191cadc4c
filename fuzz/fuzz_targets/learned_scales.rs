//! Text read as scales of intensities, habitats and descriptions of segments; what is read is written and read again.
#![no_main]

use alnm_imaging::dicom::Segment;
use alnm_imaging::habitat::HabitatModel;
use alnm_imaging::standardisation::IntensityStandard;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn read<T: Serialize + DeserializeOwned>(text: &str) {
    if let Ok(value) = serde_json::from_str::<T>(text) {
        let written = serde_json::to_string(&value).expect("what was read is written");
        assert!(serde_json::from_str::<T>(&written).is_ok(), "what was written cannot be read: {written}");
    }
}

fuzz_target!(|text: &str| {
    read::<IntensityStandard>(text);
    read::<HabitatModel>(text);
    read::<Segment>(text);
});

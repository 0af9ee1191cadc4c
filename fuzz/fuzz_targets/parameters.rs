//! Text read as a parameter file of PyRadiomics and as a profile of the IBSI. What is accepted is written and read again.
#![no_main]

use alnm_radiomics::Parameters;
use alnm_radiomics::ibsi::IbsiProfile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(parameters) = Parameters::from_yaml(text) {
        let written = parameters.to_yaml();
        match Parameters::from_yaml(&written) {
            Ok(again) => assert_eq!(again.to_yaml(), written),
            Err(error) => panic!("{error}\n{written}"),
        }
    }
    if let Ok(profile) = IbsiProfile::from_yaml(text) {
        let _ = profile.check();
    }
});

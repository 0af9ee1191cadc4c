//! Extracts the same region again and again in one process and prints what each call took, as one line of JSON:
//! `{"calls": [[wall seconds, CPU seconds], ...], "values": {name: value}}`. The first call is not counted; its images
//! are given back and read again, as those of the case before are in a batch. Values of feature maps are their means
//! over the voxels where they are finite. `compare_pyradiomics.py` runs it beside PyRadiomics; the number of threads is
//! that of RAYON_NUM_THREADS.

use std::collections::BTreeMap;
use std::env::args;
use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use alnm_imaging::file::Source;
use alnm_imaging::mask::MaskParams;
use alnm_imaging::read_image;
use alnm_radiomics::{Extractor, Image, Mask, Parameters};
use cpu_time::ProcessTime;

const USAGE: &str =
    "repeat_extraction IMAGE MASK PARAMETERS segment|voxel SECONDS CALLS: repeats until both are reached";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = args().skip(1).collect();
    let [image, mask, parameters, mode, seconds, calls] = arguments.as_slice() else { return Err(USAGE.into()) };
    let extractor = Extractor::new(Parameters::from_file(parameters)?);
    let label = extractor.parameters().settings().label;
    let read = || -> Result<(Image, Mask), Box<dyn Error>> {
        Ok((read_image(image)?, MaskParams::default().check()?.read_narrow(Source::open(mask)?)?))
    };
    let call = |(image, mask): &(Image, Mask)| -> Result<BTreeMap<String, f64>, Box<dyn Error>> {
        if mode == "voxel" {
            let extraction = extractor.execute_voxel_based(image, mask, label)?;
            return Ok(extraction.maps.iter().map(|map| (map.id.name(), finite_mean(map.map.as_slice()))).collect());
        }
        let extraction = extractor.execute(image, mask, label)?;
        Ok(extraction.features.iter().map(|feature| (feature.id.name(), feature.value)).collect())
    };
    let (enough, fewest) = (Duration::from_secs_f64(seconds.parse()?), calls.parse()?);
    let values = call(&read()?)?;
    let case = read()?;
    let started = Instant::now();
    let mut taken = Vec::new();
    while taken.len() < fewest || started.elapsed() < enough {
        let (wall, processor) = (Instant::now(), ProcessTime::now());
        call(&case)?;
        taken.push([wall.elapsed().as_secs_f64(), processor.elapsed().as_secs_f64()]);
    }
    let result = serde_json::json!({ "calls": taken, "values": values });
    writeln!(std::io::stdout(), "{result}")?;
    Ok(())
}

/// The mean of the values that are finite.
fn finite_mean(values: &[f64]) -> f64 {
    let (sum, count) = values
        .iter()
        .filter(|value| value.is_finite())
        .fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

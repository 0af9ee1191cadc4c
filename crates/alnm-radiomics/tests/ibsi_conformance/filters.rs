//! IBSI 2: response maps of digital phantoms, and statistics of response maps of the CT phantom.

use std::collections::BTreeMap;

use alnm_conformance::pack::{Pack, Row};
use alnm_conformance::tally;
use alnm_imaging::{Image, Volume};
use alnm_radiomics::Extractor;
use alnm_radiomics::ibsi::filter::{BoundaryCondition, Dimensions, Filter, Kernel, LawsKernel, Pooling};
use alnm_radiomics::ibsi::{IbsiFamily, IbsiProfile, InterpolationSettings, Resegmentation};

use crate::images::{AREA, compare, image, mask, section, three_digits};

/// A response map agrees where it is within this part of the range of the reference.
const MAP_TOLERANCE: f64 = 0.01;

/// The settings in the words of the pack's tables.
struct Words<'a> {
    filter: &'a str,
    dimensions: &'a str,
    boundary: &'a str,
    parameters: &'a str,
}

impl<'a> Words<'a> {
    fn of(row: &Row<'a>) -> Self {
        Self {
            filter: row.text("filter"),
            dimensions: row.text("dims"),
            boundary: row.text("boundary"),
            parameters: row.text("parameters"),
        }
    }

    /// The words that follow `name`, up to the next separator; "sigma=3.0 mm" and "sigma 1.5 mm" are both in use.
    fn parameter(&self, name: &str) -> Option<&str> {
        let parts = self.parameters.split([';', ',']).map(str::trim);
        parts.filter_map(|part| part.strip_prefix(name)).find_map(|rest| rest.strip_prefix(['=', ' '])).map(str::trim)
    }

    fn number(&self, name: &str) -> Option<f64> {
        let text = self.parameter(name)?.split_ascii_whitespace().next()?;
        Some(match text.split_once('/') {
            Some((over, under)) => over.parse::<f64>().unwrap() / under.parse::<f64>().unwrap(),
            None => text.parse().unwrap_or_else(|error| panic!("{name} is {text}: {error}")),
        })
    }

    /// How rotations are pooled.
    fn pooling(&self) -> Option<Pooling> {
        let words = self.parameters;
        let invariant = words.contains("rotation_invariance=yes")
            || words.contains("rotation invariant")
            || words.contains("rot. invariant");
        invariant.then_some(if words.contains("max") { Pooling::Maximum } else { Pooling::Average })
    }

    fn dimensions(&self) -> Dimensions {
        if self.dimensions.starts_with("2D") && !self.dimensions.contains("orthogonal") {
            Dimensions::Two
        } else {
            Dimensions::Three
        }
    }

    fn boundary(&self) -> BoundaryCondition {
        let word = self.boundary.split_ascii_whitespace().next().unwrap_or_default();
        serde_json::from_value(word.into()).unwrap_or_else(|error| panic!("boundary {word}: {error}"))
    }

    /// "E5L5S5" as kernels; of "L5E5 (A) / L5E5E5 (B)" the one with as many as there are dimensions.
    fn choice(&self, text: &str, length: usize) -> String {
        let mut choices = text
            .split('/')
            .filter_map(|choice| choice.split_ascii_whitespace().find(|word| word.chars().count() == length));
        choices.next_back().unwrap_or_else(|| panic!("{text} has no word of {length} letters")).to_owned()
    }

    fn kernel(&self) -> Option<Kernel> {
        let dimensions = usize::from(u8::from(self.dimensions()));
        let first = self.parameters.split([';', ',']).next().unwrap_or_default();
        Some(match self.filter {
            "mean" => Kernel::Mean { support: self.number("support")? as usize },
            "LoG" => Kernel::LaplacianOfGaussian {
                sigma: self.number("sigma")?,
                truncation: self.number("truncation")?,
                riesz_order: None,
            },
            "Laws" | "Laws energy" => {
                let names = self.choice(self.parameter("kernel").unwrap_or(first), 2 * dimensions);
                let kernel = |name: &[u8]| -> LawsKernel {
                    serde_json::from_value(String::from_utf8_lossy(name).into()).unwrap()
                };
                let energy_distance =
                    self.number("energy_delta").or(self.number("energy delta")).map(|distance| distance as usize);
                Kernel::Laws {
                    kernels: names.as_bytes().chunks(2).map(kernel).collect(),
                    rotation_invariance: self.pooling(),
                    energy_distance,
                }
            }
            "Gabor modulus" => Kernel::Gabor {
                sigma: self.number("sigma")?,
                gamma: self.number("gamma")?,
                wavelength: self.number("wavelength")?,
                theta: self
                    .parameter("theta")
                    .filter(|words| !words.starts_with("step"))
                    .map_or(Some(0.0), |_| self.number("theta"))?,
                theta_step: self.number("step").or(self.number("theta step")),
            },
            name if name.starts_with("separable wavelet") => {
                let (wavelet, band) = match self.parameter("wavelet") {
                    Some(wavelet) => (wavelet, self.parameter("band")?.to_owned()),
                    None => {
                        let (wavelet, bands) = first.split_once(' ')?;
                        (wavelet, self.choice(bands, dimensions))
                    }
                };
                let level = self.number("level")? as usize;
                Kernel::SeparableWavelet {
                    wavelet: wavelet.to_owned(),
                    band,
                    level,
                    rotation_invariance: self.pooling(),
                }
            }
            name if name.contains("Simoncelli") => {
                Kernel::Simoncelli { level: self.number("level")? as usize, riesz_order: None }
            }
            _ => return None,
        })
    }

    fn filter(&self) -> Option<Filter> {
        Some(Filter::new(self.dimensions(), self.kernel()?).with_boundary(self.boundary()))
    }
}

/// The largest difference of two maps as a part of the range of the second.
fn largest_difference(map: &Volume<f64>, reference: &Volume<f64>) -> f64 {
    let fold = |start: f64, pick: fn(f64, f64) -> f64| reference.as_slice().iter().copied().fold(start, pick);
    let range = fold(f64::NEG_INFINITY, f64::max) - fold(f64::INFINITY, f64::min);
    assert_eq!(map.geometry().size(), reference.geometry().size());
    map.as_slice().iter().zip(reference.as_slice()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / range
}

#[test]
fn ibsi_2_response_maps() {
    let Some(pack) = Pack::open(AREA) else { return };
    let mut tally = section("IBSI 2, response maps");
    let mut unstated = Vec::new();
    for row in pack.table("ibsi2_phase1_filters.csv").rows() {
        let (id, words) = (row.text("filter_id").to_owned(), Words::of(&row));
        let reference = image(&pack, format!("ibsi2_response_maps/{}", row.text("map")));
        if row.text("phantom") == "?" {
            unstated.push((id, reference));
            continue;
        }
        let filter = words.filter().unwrap_or_else(|| panic!("{id}: {}", row.text("parameters")));
        let difference =
            largest_difference(&filter.response(&phantom(&pack, row.text("phantom"))).unwrap(), &reference);
        tally.case_of_difference(id, difference, MAP_TOLERANCE);
    }
    let mut failures = tally.report();
    for ((id, _), agreeing) in unstated.iter().zip(settings_of(&pack, &unstated)) {
        println!(
            "IBSI 2, response map {id}, without stated parameters: agrees with {agreeing:?} and nothing else that was tried"
        );
        if agreeing.len() != 1 {
            failures.push(format!("{id}: {} settings agree", agreeing.len()));
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

fn phantom(pack: &Pack, name: &str) -> Volume<f64> {
    image(pack, format!("ibsi2_phantoms/{name}.nii.gz"))
}

/// The settings that agree with each of the maps that the pack knows as Riesz transforms but does not state: looked for
/// among all phantoms, two filters that other maps use, and all orders of sum 1 and 2.
fn settings_of(pack: &Pack, maps: &[(String, Volume<f64>)]) -> Vec<Vec<String>> {
    let orders = (0..3u32).flat_map(|x| (0..3u32).flat_map(move |y| (0..3u32).map(move |z| vec![x, y, z])));
    let kernels = orders.filter(|orders| (1..=2).contains(&orders.iter().sum::<u32>())).flat_map(|orders| {
        let riesz_order = Some(orders);
        [
            (
                BoundaryCondition::Zero,
                Kernel::LaplacianOfGaussian { sigma: 3.0, truncation: 4.0, riesz_order: riesz_order.clone() },
            ),
            (BoundaryCondition::Periodic, Kernel::Simoncelli { level: 1, riesz_order }),
        ]
    });
    let filters: Vec<Filter> =
        kernels.map(|(boundary, kernel)| Filter::new(Dimensions::Three, kernel).with_boundary(boundary)).collect();
    let mut agreeing = vec![Vec::new(); maps.len()];
    for path in pack.files("ibsi2_phantoms", ".nii.gz") {
        let phantom = image(pack, &path);
        let maps =
            maps.iter().zip(&mut agreeing).filter(|((_, map), _)| map.geometry().size() == phantom.geometry().size());
        let mut maps: Vec<_> = maps.collect();
        if maps.is_empty() {
            continue;
        }
        for filter in &filters {
            let response = filter.response(&phantom).unwrap();
            for ((_, map), agreeing) in &mut maps {
                if largest_difference(&response, map) <= MAP_TOLERANCE {
                    agreeing.push(format!("{:?} of {}", filter.kernel, path.file_name().unwrap_or_default().display()));
                }
            }
        }
    }
    agreeing
}

fn profile(row: &Row<'_>) -> IbsiProfile {
    let interpolated = !row.text("preprocessing").contains("no interpolation");
    let words = Words::of(row);
    let filter = (words.filter != "none")
        .then(|| words.filter().unwrap_or_else(|| panic!("{}: {}", row.text("filter_id"), row.text("parameters"))));
    IbsiProfile::default()
        .with_interpolation(interpolated.then_some(InterpolationSettings::new([Some(1.0); 3])))
        .with_round_intensities(interpolated)
        .with_resegmentation(Resegmentation::default().with_range(-1000.0, 400.0))
        .with_filter(filter)
        .with_families([IbsiFamily::Statistics])
}

#[test]
fn ibsi_2_values() {
    let Some(pack) = Pack::open(AREA) else { return };
    let phantom = Image::F64(image(&pack, "ct_phantom/phantom.nii.gz"));
    let region = mask(&pack, "ct_phantom/mask.nii.gz");
    let values = pack.table_separated_by(b';', "ibsi2_reference_values.csv");
    let mut references: BTreeMap<&str, Vec<Row<'_>>> = BTreeMap::new();
    for row in values.rows() {
        references.entry(row.text("filter_id")).or_default().push(row);
    }
    let mut sections = Vec::new();
    for row in pack.table("ibsi2_phase2_filters.csv").rows() {
        let id = row.text("filter_id");
        let label = 1;
        let extractor = Extractor::new(profile(&row).check().unwrap());
        let extraction = extractor.execute(&phantom, &region, label).unwrap();
        let mut tally = section(format!("IBSI 2, filter {id}"));
        for reference in &references[id] {
            let tag = reference.text("feature_tag");
            let got = extraction.value(tag).unwrap_or_else(|| panic!("no feature has the tag {tag}"));
            if let Some(value) = reference.number("consensus_value") {
                let tolerance = reference.number("tolerance").unwrap();
                compare(&mut tally, &format!("{id} {tag}"), value, tolerance, three_digits(got));
            }
        }
        sections.push(tally);
    }
    tally::finish(sections);
}

//! Standardised uptake values of positron emission tomography.

use std::fmt;
use std::path::Path;

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use serde::{Deserialize, Serialize};

use super::attributes::{
    item, number, private, private_numbers, seconds_of_date, seconds_of_date_time, seconds_of_time, singles, text,
};
use super::series_problem::SeriesProblem;
use super::slice::Slice;

/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Half-lives after which nothing is left to be imaged.
const LONGEST: f64 = 12.0;

/// By what an uptake is normalised: SUV = activity concentration / (injected activity / norm), the activity decayed to
/// the time to which the images are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UptakeNorm {
    /// Body weight, g/ml.
    BodyWeight,
    /// Lean body mass after James, g/ml: 1.10 W − 128 (W/H)² for men, 1.07 W − 148 (W/H)² for women (W in kg, H in cm).
    LeanBodyMass,
    /// Lean body mass after Janmahasatian, g/ml: 9270 W / (6680 + 216 B) for men, 9270 W / (8780 + 244 B) for women (B
    /// is the body mass index in kg/m²; <https://doi.org/10.2165/00003088-200544100-00004>).
    LeanBodyMassJanmahasatian,
    /// Body surface after Du Bois, cm²/ml: 0.007184 W^0.425 H^0.725 m².
    BodySurface,
}

impl fmt::Display for UptakeNorm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::BodyWeight => "body weight (g/ml)",
            Self::LeanBodyMass => "lean body mass after James (g/ml)",
            Self::LeanBodyMassJanmahasatian => "lean body mass after Janmahasatian (g/ml)",
            Self::BodySurface => "body surface after Du Bois (cm²/ml)",
        })
    }
}

/// How the decay of the tracer enters standardised uptake values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub enum DecayCorrection {
    /// `DecayCorrection` is START: images are decayed to the start of the scan, so the injected activity is decayed by
    /// the seconds from injection to it.
    ToStart {
        /// Seconds from injection to the start of the scan.
        seconds: f64,
    },
    /// `DecayCorrection` is ADMIN: images are decayed to the injection.
    ToInjection,
    /// The files hold standardised values, or the vendor's own factor for them.
    InFile,
}

impl fmt::Display for DecayCorrection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ToStart { seconds } => {
                write!(formatter, "DecayCorrection START: the injected activity is decayed by {seconds} s")
            }
            Self::ToInjection => formatter.write_str("DecayCorrection ADMIN: the injected activity is taken as it is"),
            Self::InFile => formatter.write_str("the files state standardised values or the factor for them"),
        }
    }
}

/// What a file of positron emission tomography says of patient, tracer and units.
#[derive(Debug, Clone, Default)]
pub(super) struct PetScan {
    units: Option<String>,
    decay_correction: Option<String>,
    /// kg.
    weight: Option<f64>,
    /// m.
    height: Option<f64>,
    sex: Option<String>,
    /// Bq.
    injected: Option<f64>,
    /// s.
    half_life: Option<f64>,
    /// Seconds since 1970, or since midnight where no date is given.
    injection: Option<f64>,
    series_start: Option<f64>,
    /// Seconds from the time to which the file's activity is decayed to the time at which it was measured.
    reference: Option<f64>,
    /// Seconds for which the file was measured.
    duration: Option<f64>,
    /// The norm of values in g/ml.
    stated_norm: Option<String>,
    /// Philips' own factor from counts to standardised values by body weight.
    philips_factor: Option<f64>,
}

impl PetScan {
    /// None for a file of another modality.
    pub(super) fn of(object: &InMemDicomObject) -> Option<Self> {
        if text(object, tags::MODALITY).as_deref() != Some("PT") {
            return None;
        }
        let tracer = item(object, tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE);
        let of_tracer = |tag| tracer.and_then(|tracer| number(tracer, tag)).filter(|number| *number > 0.0);
        let positive = |tag| number(object, tag).filter(|number| *number > 0.0);
        let date = |tag| text(object, tag).and_then(|date| seconds_of_date(&date)).unwrap_or(0.0);
        let injection = tracer.and_then(|tracer| {
            let whole = text(tracer, tags::RADIOPHARMACEUTICAL_START_DATE_TIME);
            whole.and_then(|text| seconds_of_date_time(&text)).or_else(|| {
                let time = text(tracer, tags::RADIOPHARMACEUTICAL_START_TIME).and_then(|time| seconds_of_time(&time));
                time.map(|time| date(tags::SERIES_DATE) + time)
            })
        });
        let philips = private(object, 0x7053, "Philips PET Private Group", 0x00);
        Some(Self {
            units: text(object, tags::UNITS),
            decay_correction: text(object, tags::DECAY_CORRECTION),
            weight: positive(tags::PATIENT_WEIGHT),
            height: positive(tags::PATIENT_SIZE),
            sex: text(object, tags::PATIENT_SEX),
            injected: of_tracer(tags::RADIONUCLIDE_TOTAL_DOSE),
            half_life: of_tracer(tags::RADIONUCLIDE_HALF_LIFE),
            injection,
            series_start: text(object, tags::SERIES_TIME)
                .and_then(|time| seconds_of_time(&time))
                .map(|time| date(tags::SERIES_DATE) + time),
            reference: number(object, tags::FRAME_REFERENCE_TIME).map(|milliseconds| milliseconds / 1000.0),
            duration: positive(tags::ACTUAL_FRAME_DURATION).map(|milliseconds| milliseconds / 1000.0),
            stated_norm: text(object, tags::SUV_TYPE),
            philips_factor: philips
                .and_then(|element| private_numbers(element, singles))
                .and_then(|numbers| numbers.first().copied())
                .filter(|factor| *factor > 0.0),
        })
    }
}

/// What rescaled values are multiplied by.
pub(super) struct UptakeScale {
    pub(super) factor: f64,
    pub(super) decay: DecayCorrection,
}

impl UptakeNorm {
    /// The norm that a value of `SUVType` names; body weight where the attribute is absent (PS3.3 C.8.9.1).
    fn of_suv_type(name: &str) -> Option<Self> {
        match name {
            "" | "BW" => Some(Self::BodyWeight),
            "LBMJAMES128" => Some(Self::LeanBodyMass),
            "LBMJANMA" => Some(Self::LeanBodyMassJanmahasatian),
            _ => None,
        }
    }

    /// The scale of a series, whose files agree in patient and tracer.
    pub(super) fn scale(self, slices: &[Slice]) -> Result<UptakeScale, SeriesProblem> {
        let file = slices.first().map_or(Path::new(""), Slice::path);
        let missing = |attribute: &'static str| SeriesProblem::MissingAttribute {
            file: file.to_owned(),
            attribute,
            purpose: "the standardised uptake value",
        };
        let scan = slices.first().and_then(|slice| slice.pet.as_deref());
        let scan = scan.ok_or_else(|| missing("Modality PT"))?;
        let unusable = |attribute: &'static str, value: String, requirement: &'static str| {
            SeriesProblem::UnusableAttribute { file: file.to_owned(), attribute, value, requirement }
        };
        // Values that are normalised already, by another norm.
        let again = |stated: Self, factor: f64| -> Result<UptakeScale, SeriesProblem> {
            let decay = DecayCorrection::InFile;
            if self == stated {
                return Ok(UptakeScale { factor, decay });
            }
            let weight = scan.weight.ok_or_else(|| missing("PatientWeight"))?;
            let norms = self.norm(scan, weight, missing)? / stated.norm(scan, weight, missing)?;
            Ok(UptakeScale { factor: factor * norms, decay })
        };
        match scan.units.as_deref() {
            Some("GML") => {
                let stated = scan.stated_norm.as_deref().unwrap_or_default();
                let requirement = "it must be BW, LBMJAMES128 or LBMJANMA to be given by a norm";
                let norm = Self::of_suv_type(stated).ok_or_else(|| unusable("SUVType", stated.to_owned(), requirement));
                return again(norm?, 1.0);
            }
            Some("CNTS") => {
                let factor = scan.philips_factor.ok_or_else(|| missing("the SUV factor (7053,xx00) of Philips"))?;
                return again(Self::BodyWeight, factor);
            }
            Some("BQML") => {}
            _ => return Err(missing("Units BQML, GML or CNTS")),
        }
        let weight = scan.weight.ok_or_else(|| missing("PatientWeight"))?;
        let injected = scan.injected.ok_or_else(|| missing("RadionuclideTotalDose"))?;
        let norm = self.norm(scan, weight, missing)?;
        let (activity, decay) = match scan.decay_correction.as_deref() {
            Some("ADMIN") => (injected, DecayCorrection::ToInjection),
            Some("START") => {
                let half_life = scan.half_life.ok_or_else(|| missing("RadionuclideHalfLife"))?;
                let injection = scan.injection.ok_or_else(|| missing("RadiopharmaceuticalStartTime"))?;
                let start = start(scan, slices).ok_or_else(|| missing("SeriesTime or AcquisitionTime"))?;
                // Times without a date may have midnight between them.
                let seconds = start - injection;
                let seconds = if seconds < 0.0 { seconds.rem_euclid(DAY) } else { seconds };
                if seconds > LONGEST * half_life {
                    let value = format!("{seconds} s before the scan");
                    let requirement = "after twelve half-lives nothing is left to be imaged, so that its date or that of the \
                                       series must be corrected, or RadiopharmaceuticalStartDateTime removed where \
                                       RadiopharmaceuticalStartTime is there";
                    return Err(unusable("RadiopharmaceuticalStartDateTime", value, requirement));
                }
                (injected * (-seconds / half_life).exp2(), DecayCorrection::ToStart { seconds })
            }
            _ => return Err(missing("DecayCorrection START or ADMIN")),
        };
        Ok(UptakeScale { factor: norm / activity, decay })
    }

    /// The norm in g, or cm² for the body surface.
    fn norm(
        self,
        scan: &PetScan,
        weight: f64,
        missing: impl Fn(&'static str) -> SeriesProblem,
    ) -> Result<f64, SeriesProblem> {
        if self == Self::BodyWeight {
            return Ok(weight * 1000.0);
        }
        let height = scan.height.ok_or_else(|| missing("PatientSize"))?;
        let centimetres = height * 100.0;
        let is_male = || match scan.sex.as_deref() {
            Some("M") => Ok(true),
            Some("F") => Ok(false),
            _ => Err(missing("PatientSex M or F")),
        };
        Ok(match self {
            Self::BodyWeight => weight * 1000.0,
            Self::BodySurface => 0.007_184 * weight.powf(0.425) * centimetres.powf(0.725) * 1e4,
            Self::LeanBodyMass => {
                let ratio = (weight / centimetres).powi(2);
                let lean = if is_male()? { 1.10 * weight - 128.0 * ratio } else { 1.07 * weight - 148.0 * ratio };
                lean * 1000.0
            }
            Self::LeanBodyMassJanmahasatian => {
                let index = weight / (height * height);
                let lean = if is_male()? { 6680.0 + 216.0 * index } else { 8780.0 + 244.0 * index };
                9270.0 * weight / lean * 1000.0
            }
        })
    }
}

/// The start of the scan: that of the series, unless it was made later from others, as its first acquisition shows. Where
/// the first bed position is not among the files, their times of reference tell how much earlier the scan began.
fn start(scan: &PetScan, slices: &[Slice]) -> Option<f64> {
    let first = slices.iter().filter_map(|slice| slice.acquisition_time).reduce(f64::min);
    match (scan.series_start, first) {
        (Some(series), Some(first)) if series > first => {
            // Clocks and rounded times differ by less than a second.
            let told = slices.first().and_then(|slice| reference_time(scan, slice));
            Some(told.filter(|told| *told < first - 1.0).unwrap_or(first))
        }
        (series, first) => series.or(first),
    }
}

/// The time to which the activity of a slice is decayed: `FrameReferenceTime` before the time at which the mean of its
/// counts fell.
fn reference_time(scan: &PetScan, slice: &Slice) -> Option<f64> {
    let decay = std::f64::consts::LN_2 / scan.half_life? * scan.duration?;
    let mean_of_counts = scan.duration? * (decay / -(-decay).exp_m1()).ln() / decay;
    Some(slice.acquisition_time? + mean_of_counts - scan.reference?)
}

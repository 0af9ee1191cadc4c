//! What tells the volumes of a series apart, time left aside.

use std::fmt;

use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use serde::Serialize;

use super::attributes::{doubles, get, integer, item, number, private, private_numbers, singles, text, texts, vector};
use super::plane::Sources;

/// What tells one volume of a series from those that are no other phases of it: the contrast, the part of a complex
/// image, the weighting. Only what differs within the series is stated.
///
/// ```
/// use alnm_imaging::dicom::VolumeKind;
/// assert_eq!(VolumeKind::default().to_string(), "");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct VolumeKind {
    /// Which image of several that were made of the same signal: `magnitude`, `phase`, `real`, `imaginary`, `water`,
    /// `fat`, `in phase`, `opposed phase`, or what `ImageType` says.
    pub part: Option<String>,
    /// `EchoTime` in ms.
    pub echo_time: Option<f64>,
    /// `InversionTime` in ms.
    pub inversion_time: Option<f64>,
    /// `FlipAngle` in degrees.
    pub flip_angle: Option<f64>,
    /// Diffusion weighting in s/mm².
    pub b_value: Option<f64>,
    /// Direction of the diffusion gradient (LPS, a unit vector; of some vendors in coordinates of the image).
    pub gradient_direction: Option<[f64; 3]>,
    /// `AcquisitionNumber` of one of several scans.
    pub acquisition: Option<i64>,
    /// Number of one of several grids, from 1: scouts in other orientations, images of other sizes.
    pub grid: Option<usize>,
    /// Number of one of several images that have no place in space, from 1.
    pub image: Option<usize>,
}

impl fmt::Display for VolumeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |name: &str, value: Option<f64>, unit: &str| value.map(|value| format!("{name} {value} {unit}"));
        let direction = self.gradient_direction.map(|[x, y, z]| format!("gradient ({x:.3}, {y:.3}, {z:.3})"));
        let told: Vec<String> = [
            self.image.map(|image| format!("image {image}")),
            self.grid.map(|grid| format!("grid {grid}")),
            self.part.clone(),
            number("echo time", self.echo_time, "ms"),
            number("inversion time", self.inversion_time, "ms"),
            number("flip angle", self.flip_angle, "degrees"),
            number("b-value", self.b_value, "s/mm²"),
            direction,
            self.acquisition.map(|acquisition| format!("acquisition {acquisition}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        formatter.write_str(&told.join(", "))
    }
}

/// What a slice says of how it was made.
#[derive(Debug, Clone, Default)]
pub(super) struct Making {
    /// The values of `ImageType` (or `FrameType`), and the part of a complex image where another attribute says it.
    pub(super) image_type: Vec<String>,
    pub(super) echo_time: Option<f64>,
    pub(super) inversion_time: Option<f64>,
    pub(super) flip_angle: Option<f64>,
    pub(super) b_value: Option<f64>,
    pub(super) gradient_direction: Option<[f64; 3]>,
    pub(super) acquisition: Option<i64>,
}

/// A value by which slices are told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    Numbers(Vec<i64>),
    Texts(Vec<String>),
}

/// An attribute in which volumes of a series differ.
pub(super) struct Difference {
    /// Its name in errors.
    pub(super) name: &'static str,
    /// Its value in a slice, rounded so that numbers written in other digits are equal.
    pub(super) value: fn(&Making) -> Option<Value>,
    /// States it of a kind.
    pub(super) state: fn(&mut VolumeKind, &Making),
}

/// Everything by which volumes are told apart before time is looked at.
pub(super) const DIFFERENCES: [Difference; 6] = [
    Difference {
        name: "ImageType",
        value: |making| Some(Value::Texts(making.image_type.clone())),
        state: |kind, making| kind.part = Some(making.image_type.join(" ")),
    },
    Difference {
        name: "EchoTime",
        value: |making| rounded(making.echo_time),
        state: |kind, making| kind.echo_time = making.echo_time,
    },
    Difference {
        name: "InversionTime",
        value: |making| rounded(making.inversion_time),
        state: |kind, making| kind.inversion_time = making.inversion_time,
    },
    Difference {
        name: "FlipAngle",
        value: |making| rounded(making.flip_angle),
        state: |kind, making| kind.flip_angle = making.flip_angle,
    },
    Difference {
        name: "DiffusionBValue",
        value: |making| rounded(making.b_value),
        state: |kind, making| kind.b_value = making.b_value,
    },
    Difference {
        name: "DiffusionGradientOrientation",
        value: |making| making.gradient_direction.map(|direction| Value::Numbers(direction.map(thousandths).to_vec())),
        state: |kind, making| kind.gradient_direction = making.gradient_direction,
    },
];

fn thousandths(value: f64) -> i64 {
    (value * 1000.0).round() as i64
}

fn rounded(value: Option<f64>) -> Option<Value> {
    value.map(|value| Value::Numbers(vec![thousandths(value)]))
}

/// Words of `ImageType` that say which part of a complex image, or which image of a Dixon series, a slice is of.
const PARTS: [(&str, &[&str]); 8] = [
    ("magnitude", &["M", "MAG", "MAGNITUDE", "M_FFE", "M_SE", "M_IR"]),
    ("phase", &["P", "PHASE", "PHASE MAP", "P_FFE", "PHASE_MAP"]),
    ("real", &["R", "REAL", "R_FFE"]),
    ("imaginary", &["I", "IMAGINARY", "I_FFE"]),
    ("water", &["W", "WATER"]),
    ("fat", &["F", "FAT"]),
    ("in phase", &["IP", "IN_PHASE", "INPHASE", "IN PHASE"]),
    ("opposed phase", &["OP", "OPP_PHASE", "OUT_PHASE", "OPPOSED_PHASE", "OUT PHASE"]),
];

impl Making {
    /// The name of the part of a complex image, or of the image of a Dixon series. A word for an image of a Dixon
    /// series says more than one for the magnitude, which such images are too.
    pub(super) fn part(&self) -> Option<&'static str> {
        let is_named = |words: &[&str]| self.image_type.iter().skip(2).any(|word| words.contains(&word.as_str()));
        PARTS.iter().rev().find(|(_, words)| is_named(words)).map(|(name, _)| *name)
    }

    /// Whether a name that was asked for is that of this slice's part: as [`Making::part`] names it, or one of the
    /// words of `ImageType`.
    pub(super) fn is_part(&self, name: &str) -> bool {
        self.part().is_some_and(|part| part.eq_ignore_ascii_case(name))
            || self.image_type.iter().any(|word| word.eq_ignore_ascii_case(name))
            || self.image_type.join(" ").eq_ignore_ascii_case(name)
    }

    pub(super) fn of(sources: &Sources<'_>) -> Self {
        let object = sources.object;
        let diffusion = Diffusion::of(sources);
        let timing = sources.group(tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE);
        let modifier = sources.group(tags::MR_MODIFIER_SEQUENCE);
        let inversion = number(modifier, tags::INVERSION_TIMES).or_else(|| number(object, tags::INVERSION_TIME));
        Self {
            image_type: image_type(sources),
            echo_time: number(sources.group(tags::MR_ECHO_SEQUENCE), tags::EFFECTIVE_ECHO_TIME)
                .or_else(|| number(object, tags::ECHO_TIME)),
            inversion_time: inversion,
            flip_angle: number(timing, tags::FLIP_ANGLE),
            b_value: diffusion.b_value,
            gradient_direction: diffusion.direction,
            acquisition: integer(sources.group(tags::FRAME_CONTENT_SEQUENCE), tags::FRAME_ACQUISITION_NUMBER)
                .or_else(|| integer(object, tags::ACQUISITION_NUMBER)),
        }
    }
}

fn image_type(sources: &Sources<'_>) -> Vec<String> {
    let frame_types =
        [tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::CT_IMAGE_FRAME_TYPE_SEQUENCE, tags::PET_FRAME_TYPE_SEQUENCE];
    let of_frame = frame_types.iter().map(|&sequence| sources.group(sequence));
    let frame = of_frame.clone().find(|group| get(group, tags::FRAME_TYPE).is_some());
    let mut words = match frame {
        Some(group) => texts(group, tags::FRAME_TYPE),
        None => texts(sources.object, tags::IMAGE_TYPE),
    };
    let component = of_frame
        .into_iter()
        .find_map(|group| text(group, tags::COMPLEX_IMAGE_COMPONENT))
        .or_else(|| ge_component(sources.object));
    words.extend(component.filter(|component| component != "MIXED" && !words.contains(component)));
    words
}

/// The part of a complex image by GE's own attribute.
fn ge_component(object: &InMemDicomObject) -> Option<String> {
    const NAMES: [&str; 4] = ["MAGNITUDE", "PHASE", "REAL", "IMAGINARY"];
    let element = private(object, 0x0043, "GEMS_PARM_01", 0x2f)?;
    let number = *private_numbers(element, |bytes| {
        bytes.as_chunks().0.iter().map(|bytes| f64::from(i16::from_le_bytes(*bytes))).collect()
    })?
    .first()?;
    // Magnitude is what an image is without a word.
    NAMES.get(number as usize).filter(|_| number > 0.0).map(|name| (*name).to_owned())
}

/// The weighting by diffusion, as the standard or the vendors state it.
struct Diffusion {
    b_value: Option<f64>,
    direction: Option<[f64; 3]>,
}

/// A private attribute of a vendor: group, creator and element.
type PrivateTag = (u16, &'static str, u16);

impl Diffusion {
    fn of(sources: &Sources<'_>) -> Self {
        let object = sources.object;
        let group = sources.group(tags::MR_DIFFUSION_SEQUENCE);
        let of_group = item(group, tags::DIFFUSION_GRADIENT_DIRECTION_SEQUENCE).unwrap_or(group);
        let b_value = number(group, tags::DIFFUSION_B_VALUE).or_else(|| vendor_b_value(object));
        let direction = vector(of_group, tags::DIFFUSION_GRADIENT_ORIENTATION).or_else(|| vendor_direction(object));
        // Without a weighting a gradient means nothing; images that are averaged over directions state zeros.
        let is_weighted = b_value.is_none_or(|b_value| b_value > 0.0);
        Self { b_value, direction: direction.filter(|direction| is_weighted && direction.iter().any(|x| *x != 0.0)) }
    }
}

fn private_vector(object: &InMemDicomObject, tag: PrivateTag, of_bytes: fn(&[u8]) -> Vec<f64>) -> Option<Vec<f64>> {
    private_numbers(private(object, tag.0, tag.1, tag.2)?, of_bytes)
}

fn vendor_b_value(object: &InMemDicomObject) -> Option<f64> {
    /// GE adds a number of this size to the b-values of some sequences.
    const GE_OFFSET: f64 = 1e6;
    let first = |tag, of_bytes| private_vector(object, tag, of_bytes).and_then(|values| values.first().copied());
    first((0x0019, "SIEMENS MR HEADER", 0x0c), singles)
        .or_else(|| first((0x2001, "Philips Imaging DD 001", 0x03), singles))
        .or_else(|| first((0x0065, "Image Private Header", 0x09), doubles))
        .or_else(|| {
            let value = first((0x0043, "GEMS_PARM_01", 0x39), singles)?;
            Some(if value >= GE_OFFSET { value % (GE_OFFSET / 10.0) } else { value })
        })
        .filter(|b_value| *b_value >= 0.0)
}

fn vendor_direction(object: &InMemDicomObject) -> Option<[f64; 3]> {
    let three = |tags: [PrivateTag; 3]| {
        let numbers: Option<Vec<f64>> = tags
            .iter()
            .map(|&tag| private_vector(object, tag, singles).and_then(|values| values.first().copied()))
            .collect();
        numbers.and_then(|numbers| numbers.try_into().ok())
    };
    let whole = |tag| private_vector(object, tag, doubles).and_then(|values| values.try_into().ok());
    whole((0x0019, "SIEMENS MR HEADER", 0x0e))
        .or_else(|| whole((0x0065, "Image Private Header", 0x37)))
        .or_else(|| {
            const PHILIPS: &str = "Philips MR Imaging DD 001";
            three([(0x2005, PHILIPS, 0xb0), (0x2005, PHILIPS, 0xb1), (0x2005, PHILIPS, 0xb2)])
        })
        .or_else(|| {
            const GE: &str = "GEMS_ACQU_01";
            three([(0x0019, GE, 0xbb), (0x0019, GE, 0xbc), (0x0019, GE, 0xbd)])
        })
}

/// Names of the parts of kinds that differ in their image type: the field's word where all have one of their own, else
/// the words that not all have.
pub(super) fn name_parts(kinds: &mut [(VolumeKind, &Making)]) {
    let parts: Vec<Option<&str>> = kinds.iter().map(|(_, making)| making.part()).collect();
    let all: Vec<Vec<String>> = kinds.iter().map(|(_, making)| making.image_type.clone()).collect();
    let is_common = |word: &String| all.iter().all(|words| words.contains(word));
    let differs_in_words = |a: usize, b: usize| all[a] != all[b] && parts[a].is_some() && parts[a] == parts[b];
    let are_enough =
        parts.iter().all(Option::is_some) && !(0..all.len()).any(|a| (0..a).any(|b| differs_in_words(a, b)));
    for (index, (kind, making)) in kinds.iter_mut().enumerate().filter(|(_, (kind, _))| kind.part.is_some()) {
        let own = || {
            let words: Vec<&str> =
                making.image_type.iter().filter(|word| !is_common(word)).map(String::as_str).collect();
            if words.is_empty() { making.image_type.join(" ") } else { words.join(" ") }
        };
        kind.part = Some(if are_enough { parts[index].unwrap_or_default().to_owned() } else { own() });
    }
}

/// The tags that tell volumes apart are named so in errors.
pub(super) fn differing<'a>(makings: impl Iterator<Item = &'a Making> + Clone) -> Vec<&'static str> {
    let differs = |difference: &&Difference| {
        let mut values = makings.clone().map(difference.value);
        let first = values.next();
        values.any(|value| Some(value) != first)
    };
    DIFFERENCES.iter().filter(differs).map(|difference| difference.name).collect()
}

/// What slices differ in, with the values, for errors.
pub(super) fn differing_values<'a>(makings: impl Iterator<Item = &'a Making>) -> Vec<String> {
    let told = |making: &Making| {
        let mut kind = VolumeKind::default();
        DIFFERENCES.iter().for_each(|difference| (difference.state)(&mut kind, making));
        kind.gradient_direction = None;
        kind.to_string()
    };
    let distinct: std::collections::BTreeSet<String> = makings.map(told).collect();
    distinct.into_iter().collect()
}

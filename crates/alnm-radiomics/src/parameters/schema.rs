//! The keys that parameter files may hold.

use alnm_imaging::resample::Interpolator;

use super::document::Entry;
use super::{Node, Number, ParameterError, PatternMethod, ResegmentMode, Settings, unknown};
use crate::filter::wavelet;
use crate::glcm::WeightingNorm;

/// The part of a parameter file that a key stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// `setting`, and the settings of an image type.
    Setting,
    /// `voxelSetting`.
    VoxelSetting,
}

impl Group {
    /// The part's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setting => "setting",
            Self::VoxelSetting => "voxelSetting",
        }
    }
}

/// A key of the parameter file.
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Where it may stand.
    pub group: Group,
    /// What values it may have.
    pub expected: &'static str,
    /// Stores a value; `None` when it is not allowed.
    set: fn(&mut Settings, &Node) -> Option<()>,
}

const fn key(name: &'static str, expected: &'static str, set: fn(&mut Settings, &Node) -> Option<()>) -> Key {
    Key { name, group: Group::Setting, expected, set }
}

const fn voxel_key(name: &'static str, expected: &'static str, set: fn(&mut Settings, &Node) -> Option<()>) -> Key {
    Key { name, group: Group::VoxelSetting, expected, set }
}

/// Stores what `read` makes of a value.
macro_rules! store {
    ($field:ident, $read:expr) => {
        |settings, node| $read(node).map(|value| settings.$field = value)
    };
}

const ABOVE_ZERO: &str = "a number above 0";
const WHOLE_ABOVE_ZERO: &str = "a whole number above 0";
const WHOLE_FROM_ZERO: &str = "a whole number from 0 up";
const TRUE_OR_FALSE: &str = "true or false";

/// All keys with their types and ranges, those of PyRadiomics' parameter schema.
pub const SCHEMA: &[Key] = &[
    key("minimumROIDimensions", "1, 2 or 3", store!(minimum_roi_dimensions, |node| whole(node, 1).filter(|&n| n <= 3))),
    key("minimumROISize", WHOLE_ABOVE_ZERO, store!(minimum_roi_size, |node| optional(node, |node| whole(node, 1)))),
    key("geometryTolerance", ABOVE_ZERO, store!(geometry_tolerance, |node| optional(node, positive))),
    key("correctMask", TRUE_OR_FALSE, store!(correct_mask, boolean)),
    key("additionalInfo", TRUE_OR_FALSE, store!(additional_info, boolean)),
    key("label", WHOLE_ABOVE_ZERO, store!(label, |node| whole(node, 1).and_then(|n| u32::try_from(n).ok()))),
    key("label_channel", WHOLE_FROM_ZERO, store!(label_channel, |node| whole(node, 0))),
    key("binWidth", ABOVE_ZERO, store!(bin_width, positive)),
    key(
        "binCount",
        WHOLE_ABOVE_ZERO,
        store!(bin_count, |node| optional(node, |node| whole(node, 1).and_then(|n| u32::try_from(n).ok()))),
    ),
    key("normalize", TRUE_OR_FALSE, store!(normalize, boolean)),
    key("normalizeScale", ABOVE_ZERO, store!(normalize_scale, positive)),
    key("removeOutliers", ABOVE_ZERO, store!(remove_outliers, |node| optional(node, positive))),
    key(
        "resampledPixelSpacing",
        "a list of numbers from 0 up, in mm",
        store!(resampled_pixel_spacing, |node| optional(node, |node| list(node, |item| number(item)
            .filter(|&v| v >= 0.0)))),
    ),
    key(
        "interpolator",
        "null or an interpolator of SimpleITK by name or number: sitkNearestNeighbor (1), sitkLinear (2), sitkBSpline (3), sitkGaussian (4), sitkLabelGaussian (5), or a windowed sinc, sitkHammingWindowedSinc (6) to sitkBlackmanWindowedSinc (10)",
        store!(interpolator, interpolator),
    ),
    key("padDistance", WHOLE_FROM_ZERO, store!(pad_distance, |node| whole(node, 0))),
    key("distances", "a list of whole numbers above 0", store!(distances, distances)),
    key("force2D", TRUE_OR_FALSE, store!(force_2d, boolean)),
    key("force2Ddimension", "0, 1 or 2", store!(force_2d_dimension, |node| whole(node, 0).filter(|&n| n <= 2))),
    key(
        "resegmentRange",
        "a list of one or two numbers",
        store!(resegment_range, |node| optional(node, resegment_range)),
    ),
    key("resegmentMode", "absolute, relative or sigma", store!(resegment_mode, resegment_mode)),
    key("resegmentShape", TRUE_OR_FALSE, store!(resegment_shape, boolean)),
    key("preCrop", TRUE_OR_FALSE, store!(pre_crop, boolean)),
    key("sigma", "a list of numbers above 0", store!(sigma, |node| list(node, sigma))),
    key("start_level", WHOLE_FROM_ZERO, store!(start_level, |node| whole(node, 0))),
    key("level", WHOLE_ABOVE_ZERO, store!(level, |node| whole(node, 1))),
    key("wavelet", "a discrete wavelet of PyWavelets, such as coif1", store!(wavelet, wavelet_name)),
    key("gradientUseSpacing", TRUE_OR_FALSE, store!(gradient_use_spacing, boolean)),
    key("lbp2DRadius", ABOVE_ZERO, store!(lbp_2d_radius, positive)),
    key("lbp2DSamples", WHOLE_ABOVE_ZERO, store!(lbp_2d_samples, |node| whole(node, 1))),
    key("lbp2DMethod", "default, ror, uniform or var", store!(lbp_2d_method, pattern_method)),
    key("lbp3DLevels", WHOLE_ABOVE_ZERO, store!(lbp_3d_levels, |node| whole(node, 1))),
    key("lbp3DIcosphereRadius", ABOVE_ZERO, store!(lbp_3d_icosphere_radius, positive)),
    key("lbp3DIcosphereSubdivision", WHOLE_FROM_ZERO, store!(lbp_3d_icosphere_subdivision, |node| whole(node, 0))),
    key("voxelArrayShift", "a whole number", store!(voxel_array_shift, |node| integer(node).map(|n| n as f64))),
    key("symmetricalGLCM", TRUE_OR_FALSE, store!(symmetrical_glcm, boolean)),
    key(
        "weightingNorm",
        "null, euclidean, manhattan, infinity or no_weighting",
        store!(weighting_norm, |node| optional(node, weighting)),
    ),
    key("gldm_a", WHOLE_FROM_ZERO, store!(gldm_a, |node| whole(node, 0).and_then(|n| u32::try_from(n).ok()))),
    voxel_key("kernelRadius", WHOLE_ABOVE_ZERO, store!(kernel_radius, |node| whole(node, 1))),
    voxel_key("maskedKernel", TRUE_OR_FALSE, store!(masked_kernel, boolean)),
    voxel_key("initValue", "a number", store!(init_value, any_number)),
    voxel_key("voxelBatch", WHOLE_ABOVE_ZERO, store!(voxel_batch, |node| optional(node, |node| whole(node, 1)))),
];

/// Stores a value under a key of `group`.
pub(super) fn set(settings: &mut Settings, group: Group, entry: &Entry, value: &Node) -> Result<(), ParameterError> {
    let keys = || SCHEMA.iter().filter(|key| key.group == group);
    let Some(key) = keys().find(|key| key.name == entry.name) else {
        return Err(unknown(entry.clone(), "key", group.name(), keys().map(|key| key.name)));
    };
    (key.set)(settings, value).ok_or_else(|| ParameterError::Value {
        line: entry.line,
        key: key.name.to_owned(),
        value: value.to_string(),
        expected: key.expected.to_owned(),
    })
}

fn boolean(node: &Node) -> Option<bool> {
    match node {
        Node::Bool(value) => Some(*value),
        _ => None,
    }
}

fn integer(node: &Node) -> Option<i64> {
    match node {
        Node::Integer(value) => Some(*value),
        _ => None,
    }
}

fn whole(node: &Node, minimum: i64) -> Option<usize> {
    integer(node).filter(|&value| value >= minimum).and_then(|value| usize::try_from(value).ok())
}

/// A finite number.
fn number(node: &Node) -> Option<f64> {
    any_number(node).filter(|value| value.is_finite())
}

/// A number that may be NaN or infinite.
fn any_number(node: &Node) -> Option<f64> {
    match node {
        Node::Integer(value) => Some(*value as f64),
        Node::Float(value) => Some(*value),
        _ => None,
    }
}

fn positive(node: &Node) -> Option<f64> {
    number(node).filter(|&value| value > 0.0)
}

fn optional<T>(node: &Node, read: impl Fn(&Node) -> Option<T>) -> Option<Option<T>> {
    if *node == Node::Null { Some(None) } else { read(node).map(Some) }
}

fn list<T>(node: &Node, read: impl Fn(&Node) -> Option<T>) -> Option<Vec<T>> {
    match node {
        Node::List(items) => items.iter().map(read).collect(),
        _ => None,
    }
}

fn sigma(node: &Node) -> Option<Number> {
    positive(node).map(|value| match node {
        Node::Integer(value) => Number::Integer(*value),
        _ => Number::Float(value),
    })
}

fn distances(node: &Node) -> Option<Vec<u32>> {
    list(node, |item| whole(item, 1).and_then(|n| u32::try_from(n).ok())).filter(|distances| !distances.is_empty())
}

fn resegment_range(node: &Node) -> Option<Vec<f64>> {
    list(node, number).filter(|range| range.len() == 1 || range.len() == 2)
}

/// One of a few words.
fn word<T: Copy>(node: &Node, words: &[(&str, T)]) -> Option<T> {
    match node {
        Node::Text(text) => words.iter().find(|(word, _)| word == text).map(|(_, value)| *value),
        _ => None,
    }
}

fn interpolator(node: &Node) -> Option<Option<Interpolator>> {
    // In the order of SimpleITK's numbers.
    let words = [
        ("sitkNearestNeighbor", Interpolator::Nearest),
        ("sitkLinear", Interpolator::Linear),
        ("sitkBSpline", Interpolator::BSpline),
        ("sitkGaussian", Interpolator::Gaussian),
        ("sitkLabelGaussian", Interpolator::LabelGaussian),
        ("sitkHammingWindowedSinc", Interpolator::HammingSinc),
        ("sitkCosineWindowedSinc", Interpolator::CosineSinc),
        ("sitkWelchWindowedSinc", Interpolator::WelchSinc),
        ("sitkLanczosWindowedSinc", Interpolator::LanczosSinc),
        ("sitkBlackmanWindowedSinc", Interpolator::BlackmanSinc),
    ];
    optional(node, |node| match node {
        Node::Integer(_) => whole(node, 1).and_then(|n| words.get(n - 1)).map(|(_, interpolator)| *interpolator),
        _ => word(node, &words),
    })
}

fn resegment_mode(node: &Node) -> Option<ResegmentMode> {
    word(
        node,
        &[
            ("absolute", ResegmentMode::Absolute),
            ("relative", ResegmentMode::Relative),
            ("sigma", ResegmentMode::Sigma),
        ],
    )
}

fn pattern_method(node: &Node) -> Option<PatternMethod> {
    let words = [
        ("default", PatternMethod::Default),
        ("ror", PatternMethod::RotationInvariant),
        ("uniform", PatternMethod::Uniform),
        ("var", PatternMethod::Variance),
    ];
    word(node, &words)
}

fn weighting(node: &Node) -> Option<WeightingNorm> {
    let words = [
        ("euclidean", WeightingNorm::Euclidean),
        ("manhattan", WeightingNorm::Manhattan),
        ("infinity", WeightingNorm::Infinity),
        ("no_weighting", WeightingNorm::NoWeighting),
    ];
    word(node, &words)
}

fn wavelet_name(node: &Node) -> Option<String> {
    match node {
        Node::Text(name) if wavelet::Filters::named(name).is_some() => Some(name.clone()),
        _ => None,
    }
}

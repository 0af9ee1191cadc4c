//! The one table of the settings: what each means, its unit, default and range, and which values it moves. The struct
//! [`Settings`], its documentation, its defaults, the reading and the checking of parameter files, the typed builders
//! and `docs/parameters.md` all come from it.

use alnm_imaging::resample::Interpolator;
use serde::Serialize;

use super::document::{Entry, SettingValue};
use super::image_type_request::ImageTypeRequest;
use crate::discretisation::Binning;
use crate::filter::lbp2d::PatternMethod;
use crate::filter::wavelet;
use crate::parameter_error::ParameterError;
use crate::weighting::WeightingNorm;

/// What the limits of resegmentation mean (`resegmentMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum ResegmentMode {
    /// Grey values.
    Absolute,
    /// Fractions of the largest grey value of the region.
    Relative,
    /// Standard deviations of the region from the region's mean.
    Sigma,
}

/// σ of a Laplacian of Gaussian in mm. It remembers whether it was written as a whole number, since PyRadiomics makes
/// the name of the image from the text: `log-sigma-3-mm-3D` for 3, `log-sigma-3-0-mm-3D` for 3.0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Sigma {
    /// A whole number.
    Integer(i64),
    /// A number with a decimal point.
    Float(f64),
}

impl Sigma {
    /// σ in mm.
    #[must_use]
    pub fn value(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

impl From<f64> for Sigma {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<i64> for Sigma {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<i32> for Sigma {
    fn from(value: i32) -> Self {
        Self::Integer(value.into())
    }
}

impl std::fmt::Display for Sigma {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Float(value) => formatter.write_str(&crate::python_text::float(*value)),
        }
    }
}

/// The wavelets of wavelet images by their names in PyWavelets. PyRadiomics knows one at a time; several give images whose
/// names tell them apart: `wavelet-haar-LLH` and `wavelet-coif1-LLH` instead of `wavelet-LLH`.
///
/// ```
/// use alnm_radiomics::parameters::WaveletNames;
/// assert_eq!(WaveletNames::from(["haar", "coif1"]).names().len(), 2);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct WaveletNames(Vec<String>);

impl WaveletNames {
    /// The names, in the order of the images.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl From<&str> for WaveletNames {
    fn from(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }
}

impl From<String> for WaveletNames {
    fn from(name: String) -> Self {
        Self(vec![name])
    }
}

impl<T: Into<String>, const N: usize> From<[T; N]> for WaveletNames {
    fn from(names: [T; N]) -> Self {
        Self(names.into_iter().map(Into::into).collect())
    }
}

impl From<Vec<String>> for WaveletNames {
    fn from(names: Vec<String>) -> Self {
        Self(names)
    }
}

/// The part of a parameter file that a key stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingGroup {
    /// `setting`, and the settings of an image type.
    Setting,
    /// `voxelSetting`, which is used by feature maps only.
    VoxelSetting,
}

impl SettingGroup {
    /// The part's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setting => "setting",
            Self::VoxelSetting => "voxelSetting",
        }
    }
}

/// A row of the table of settings: a key of the parameter file with its documentation.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct SettingKey {
    /// PyRadiomics' name of the key, such as `binWidth`.
    pub name: &'static str,
    /// The field of [`Settings`], such as `bin_width`.
    pub field: &'static str,
    /// The part of the parameter file that the key stands in.
    pub group: SettingGroup,
    /// What the setting is about, such as "Discretisation"; keys of one topic follow each other.
    pub topic: &'static str,
    /// What the setting does.
    pub meaning: &'static str,
    /// Unit of the value; `none` where there is none.
    pub unit: &'static str,
    /// The default, as it stands in a parameter file.
    pub default: &'static str,
    /// What values are allowed.
    pub range: &'static str,
    /// Which features or images change with it.
    pub moves: &'static str,
    /// Stores a value; `None` when it is not allowed.
    set: fn(&mut Settings, &SettingValue) -> Option<()>,
    get: fn(&Settings) -> SettingValue,
}

/// The method that sets a setting for one image type. Settings of feature maps have none.
macro_rules! override_of_image_type {
    (Setting, $key:literal, $field:ident: $type:ty, $with:ident($argument:ty)) => {
        #[doc = concat!("Sets [`Settings::", stringify!($field), "`] for this image type only.")]
        #[doc(alias = $key)]
        pub fn $with(self, value: $argument) -> Self {
            let value: $type = value.into();
            self.with($key, value.written())
        }
    };
    (VoxelSetting, $($rest:tt)*) => {};
}

/// Makes the struct, the defaults, the table and the builders from the rows.
macro_rules! settings {
    ($($topic:literal {
        $(
            $key:literal in $group:ident,
            $field:ident: $type:ty = $value:expr, $with:ident($argument:ty);
            default $default:literal, unit $unit:literal;
            range $range:literal by $read:expr;
            moves $moves:literal;
            $meaning:literal;
        )+
    })+) => {
        /// The settings of an extraction. Each field stands for a key of PyRadiomics' parameter files.
        ///
        /// ```
        /// use alnm_radiomics::parameters::Settings;
        /// let settings = Settings::default().with_bin_width(10.0).with_normalize(true).with_normalize_scale(100.0);
        /// assert_eq!((settings.bin_width, settings.pad_distance), (10.0, 5));
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[must_use]
        #[non_exhaustive]
        pub struct Settings {
            $($(
                #[doc = $meaning]
                #[doc = ""]
                #[doc = concat!("PyRadiomics' key `", $key, "`. Default: `", $default, "`. Range: ", $range, ". Unit: ", $unit, ". Moves: ", $moves, ".")]
                pub $field: $type,
            )+)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($($field: $value,)+)+ }
            }
        }

        impl Settings {
            $($(
                #[doc = concat!("Sets [`Settings::", stringify!($field), "`].")]
                #[doc(alias = $key)]
                pub fn $with(mut self, value: $argument) -> Self {
                    self.$field = value.into();
                    self
                }
            )+)+
        }

        impl ImageTypeRequest {
            $($(override_of_image_type! { $group, $key, $field: $type, $with($argument) })+)+
        }

        /// All settings with their meaning, type and range: those of PyRadiomics' parameter schema.
        pub const SETTINGS: &[SettingKey] = &[
            $($(SettingKey {
                name: $key,
                field: stringify!($field),
                group: SettingGroup::$group,
                topic: $topic,
                meaning: $meaning,
                unit: $unit,
                default: $default,
                range: $range,
                moves: $moves,
                set: |settings, value| ($read)(value).map(|value| settings.$field = value),
                get: |settings| settings.$field.written(),
            },)+)+
        ];
    };
}

// The first topics are in the order in which PyRadiomics reports its settings.
settings! {
    "Checks of the mask" {
        "minimumROIDimensions" in Setting,
        minimum_roi_dimensions: usize = 2, with_minimum_roi_dimensions(usize);
        default "2", unit "axes";
        range "1, 2 or 3" by |value| whole(value, 1).filter(|&n| n <= 3);
        moves "no value; decides which regions are refused";
        "The number of axes along which the region must be more than one voxel wide. A single voxel is always refused.";

        "minimumROISize" in Setting,
        minimum_roi_size: Option<usize> = None, with_minimum_roi_size(Option<usize>);
        default "null", unit "voxels";
        range "a whole number above 0" by |value| optional(value, |value| whole(value, 1));
        moves "no value; decides which regions are refused";
        "The number of voxels that the region must exceed. Without it any number will do.";

        "geometryTolerance" in Setting,
        geometry_tolerance: Option<f64> = None, with_geometry_tolerance(impl Into<Option<f64>>);
        default "null", unit "voxels for origin and spacing (times the first spacing in mm); none for direction cosines";
        range "a number above 0" by |value| optional(value, positive);
        moves "no value; decides which masks are refused or corrected";
        "How far the grids of image and mask may differ and still count as equal. Without it ITK's 1e-6.";

        "correctMask" in Setting,
        correct_mask: bool = false, with_correct_mask(bool);
        default "false", unit "none";
        range "true or false" by boolean;
        moves "all features of a mask that does not lie on the image's grid";
        "Whether a mask on another grid is resampled to the image's grid (nearest voxel) instead of refused.";
    }
    "Normalisation" {
        "normalize" in Setting,
        normalize: bool = false, with_normalize(bool);
        default "false", unit "none";
        range "true or false" by boolean;
        moves "all features but shape";
        "Whether grey values are centred on the mean of the whole image and divided by its standard deviation.";

        "normalizeScale" in Setting,
        normalize_scale: f64 = 1.0, with_normalize_scale(impl Into<f64>);
        default "1", unit "standard deviations of the image";
        range "a number above 0" by positive;
        moves "all features but shape, with `normalize`";
        "The factor by which normalised grey values are multiplied.";

        "removeOutliers" in Setting,
        remove_outliers: Option<f64> = None, with_remove_outliers(impl Into<Option<f64>>);
        default "null", unit "standard deviations of the image";
        range "a number above 0" by |value| optional(value, positive);
        moves "all features but shape, with `normalize`";
        "Normalised grey values farther than this from the mean are set to this limit, before they are scaled.";
    }
    "Resampling and cropping" {
        "resampledPixelSpacing" in Setting,
        resampled_pixel_spacing: Option<Vec<f64>> = None, with_resampled_pixel_spacing(impl Into<Option<Vec<f64>>>);
        default "null", unit "mm";
        range "a list of numbers from 0 up, in mm" by |value| optional(value, |value| list(value, |item| number(item).filter(|&v| v >= 0.0)));
        moves "all features";
        "The spacing (x, y, z) that image and mask are resampled to, one number for each axis of the image. 0 keeps the mask's spacing along an axis.";

        "interpolator" in Setting,
        interpolator: Option<Interpolator> = Some(Interpolator::BSpline), with_interpolator(impl Into<Option<Interpolator>>);
        default "sitkBSpline", unit "none";
        range "null or an interpolator of SimpleITK by name or number: sitkNearestNeighbor (1), sitkLinear (2), sitkBSpline (3), sitkGaussian (4), sitkLabelGaussian (5), or a windowed sinc, sitkHammingWindowedSinc (6) to sitkBlackmanWindowedSinc (10)" by interpolator;
        moves "all features but shape, with `resampledPixelSpacing`";
        "How grey values between voxels are found when the image is resampled; null switches resampling off. The mask always takes the nearest voxel.";

        "preCrop" in Setting,
        pre_crop: bool = false, with_pre_crop(bool);
        default "false", unit "none";
        range "true or false" by boolean;
        moves "features on filtered images whose filter reaches beyond `padDistance`";
        "Whether image and mask are cropped to the box around the region and `padDistance` voxels more on each side. Resampling crops in any case.";

        "padDistance" in Setting,
        pad_distance: usize = 5, with_pad_distance(usize);
        default "5", unit "voxels";
        range "a whole number from 0 up" by |value| whole(value, 0);
        moves "features on filtered images, with `preCrop` or `resampledPixelSpacing`";
        "The voxels that are kept around the region on each side when the image is cropped or resampled.";
    }
    "Neighbours and slices" {
        "distances" in Setting,
        distances: Vec<u32> = vec![1], with_distances(impl Into<Vec<u32>>);
        default "[1]", unit "voxels";
        range "a list of whole numbers from 1 to 32" by distances;
        moves "glcm, gldm and ngtdm";
        "The distances between voxels that count as neighbours, as the largest step along any axis (Chebyshev distance).";

        "force2D" in Setting,
        force_2d: bool = false, with_force_2d(bool);
        default "false", unit "none";
        range "true or false" by boolean;
        moves "all texture classes, shape2D, wavelet and LBP2D images";
        "Whether texture is computed within slices: neighbours do not step along `force2Ddimension`.";

        "force2Ddimension" in Setting,
        force_2d_dimension: usize = 0, with_force_2d_dimension(usize);
        default "0", unit "none";
        range "0, 1 or 2" by |value| whole(value, 0).filter(|&n| n <= 2);
        moves "the same as `force2D`";
        "The axis across the slices of `force2D`: 0 is the last axis of the image (z of a volume), 1 is y and 2 is x.";
    }
    "Resegmentation" {
        "resegmentRange" in Setting,
        resegment_range: Option<Vec<f64>> = None, with_resegment_range(impl Into<Option<Vec<f64>>>);
        default "null", unit "depends on `resegmentMode`";
        range "a list of one or two numbers" by |value| optional(value, resegment_range);
        moves "all features but shape; shape too with `resegmentShape`";
        "The lower limit, or the lower and the upper limit, of the grey values that stay in the region. Both limits belong to the range.";

        "resegmentMode" in Setting,
        resegment_mode: ResegmentMode = ResegmentMode::Absolute, with_resegment_mode(ResegmentMode);
        default "absolute", unit "none";
        range "absolute, relative or sigma" by |value| word(value, RESEGMENT_MODES);
        moves "the same as `resegmentRange`, with it";
        "What the limits are: grey values, fractions of the region's largest grey value, or standard deviations from the region's mean.";

        "resegmentShape" in Setting,
        resegment_shape: bool = false, with_resegment_shape(bool);
        default "false", unit "none";
        range "true or false" by boolean;
        moves "shape and shape2D, with `resegmentRange`";
        "Whether shape is computed on the resegmented mask instead of the mask as it was.";
    }
    "Region and report" {
        "label" in Setting,
        label: u32 = 1, with_label(u32);
        default "1", unit "none";
        range "a whole number above 0" by |value| whole(value, 1).and_then(|n| u32::try_from(n).ok());
        moves "nothing here: the functions of `Extractor` take the label as an argument, and the command line reads this one";
        "The label of the region in the mask.";

        "label_channel" in Setting,
        label_channel: usize = 0, with_label_channel(usize);
        default "0", unit "none";
        range "a whole number from 0 up" by |value| whole(value, 0);
        moves "nothing here: the command line reads it";
        "The channel of a mask with several values in each voxel.";

        "additionalInfo" in Setting,
        additional_info: bool = true, with_additional_info(bool);
        default "true", unit "none";
        range "true or false" by boolean;
        moves "no feature; the diagnostics are empty without it";
        "Whether image, mask and parameters are described in the diagnostics.";
    }
    "Discretisation" {
        "binWidth" in Setting,
        bin_width: f64 = 25.0, with_bin_width(impl Into<f64>);
        default "25", unit "grey values of the image";
        range "a number above 0" by positive;
        moves "all texture classes; Entropy and Uniformity of firstorder";
        "The width of the bins that grey values are put into. Edges are multiples of the width.";

        "binCount" in Setting,
        bin_count: Option<u32> = None, with_bin_count(Option<u32>);
        default "null", unit "bins";
        range "a whole number from 1 to 65536" by |value| optional(value, |value| whole_to(value, 1, 65_536).and_then(|n| u32::try_from(n).ok()));
        moves "the same as `binWidth`, which it replaces";
        "The number of equal bins between the smallest and the largest grey value of the region.";
    }
    "First-order statistics" {
        "voxelArrayShift" in Setting,
        voxel_array_shift: i64 = 0, with_voxel_array_shift(i64);
        default "0", unit "grey values of the image";
        range "a whole number" by integer;
        moves "Energy, TotalEnergy and RootMeanSquared of firstorder";
        "What is added to grey values before they are squared, so that negative ones do not count as much as positive ones.";
    }
    "Texture" {
        "symmetricalGLCM" in Setting,
        symmetrical_glcm: bool = true, with_symmetrical_glcm(bool);
        default "true", unit "none";
        range "true or false" by boolean;
        moves "glcm";
        "Whether each pair of neighbours is counted in both orders.";

        "weightingNorm" in Setting,
        weighting_norm: Option<WeightingNorm> = None, with_weighting_norm(impl Into<Option<WeightingNorm>>);
        default "null", unit "none";
        range "null, euclidean, manhattan, infinity or no_weighting" by |value| optional(value, |value| word(value, WEIGHTING_NORMS));
        moves "glcm and glrlm";
        "How the matrices of the directions are weighted before they are added up. Without it features are computed for each direction and averaged.";

        "gldm_a" in Setting,
        gldm_a: u32 = 0, with_gldm_a(u32);
        default "0", unit "grey levels";
        range "a whole number from 0 up" by |value| whole(value, 0).and_then(|n| u32::try_from(n).ok());
        moves "gldm";
        "The largest difference of grey levels between a voxel and a neighbour that depends on it, α.";
    }
    "LoG images" {
        "sigma" in Setting,
        sigma: Vec<Sigma> = Vec::new(), with_sigma(impl Into<Vec<Sigma>>);
        default "[]", unit "mm";
        range "a list of numbers above 0" by |value| list(value, sigma);
        moves "LoG images, one for each σ";
        "The widths of the Gaussians. Without any there is no LoG image, and a warning says so.";
    }
    "Wavelet images" {
        "start_level" in Setting,
        start_level: usize = 0, with_start_level(usize);
        default "0", unit "levels";
        range "a whole number from 0 to 16" by |value| whole_to(value, 0, 16);
        moves "Wavelet images";
        "The number of levels that are transformed before the first whose sub-bands are used.";

        "level" in Setting,
        level: usize = 1, with_level(usize);
        default "1", unit "levels";
        range "a whole number from 1 to 16" by |value| whole_to(value, 1, 16);
        moves "Wavelet images, eight sub-bands for the last level of a volume and seven for each before it";
        "The number of levels of the wavelet transform.";

        "wavelet" in Setting,
        wavelet: WaveletNames = "coif1".into(), with_wavelet(impl Into<WaveletNames>);
        default "coif1", unit "none";
        range "a discrete wavelet of PyWavelets, such as coif1, or a list of different ones" by wavelet_names;
        moves "Wavelet images";
        "The name of the wavelet in PyWavelets: haar, db1 to db38, sym2 to sym20, coif1 to coif17, bior1.1 to bior6.8, rbio1.1 to rbio6.8 or dmey. Of a list, which PyRadiomics does not take, each wavelet has images of its own with its name in theirs.";
    }
    "Gradient images" {
        "gradientUseSpacing" in Setting,
        gradient_use_spacing: bool = true, with_gradient_use_spacing(bool);
        default "true", unit "none";
        range "true or false" by boolean;
        moves "Gradient images";
        "Whether differences are divided by the distance of voxels in mm; otherwise voxels count as 1 apart.";
    }
    "LBP2D images" {
        "lbp2DRadius" in Setting,
        lbp_2d_radius: f64 = 1.0, with_lbp_2d_radius(impl Into<f64>);
        default "1", unit "pixels";
        range "a number above 0, at most 1024" by |value| positive_to(value, 1024.0);
        moves "LBP2D images";
        "The radius of the circle that samples lie on.";

        "lbp2DSamples" in Setting,
        lbp_2d_samples: usize = 8, with_lbp_2d_samples(usize);
        default "8", unit "samples";
        range "a whole number from 1 to 52" by |value| whole_to(value, 1, 52);
        moves "LBP2D images";
        "The number of samples on the circle.";

        "lbp2DMethod" in Setting,
        lbp_2d_method: PatternMethod = PatternMethod::Uniform, with_lbp_2d_method(PatternMethod);
        default "uniform", unit "none";
        range "default, ror, uniform or var" by |value| word(value, PATTERN_METHODS);
        moves "LBP2D images";
        "How a pattern of samples becomes a number: as in scikit-image's `local_binary_pattern`.";
    }
    "LBP3D images" {
        "lbp3DLevels" in Setting,
        lbp_3d_levels: usize = 2, with_lbp_3d_levels(usize);
        default "2", unit "levels";
        range "a whole number from 1 to 32" by |value| whole_to(value, 1, 32);
        moves "LBP3D images, one for each level and one for the kurtosis";
        "The number of levels of spherical harmonics.";

        "lbp3DIcosphereRadius" in Setting,
        lbp_3d_icosphere_radius: f64 = 1.0, with_lbp_3d_icosphere_radius(impl Into<f64>);
        default "1", unit "voxels";
        range "a number above 0, at most 1024" by |value| positive_to(value, 1024.0);
        moves "LBP3D images";
        "The radius of the sphere that samples lie on.";

        "lbp3DIcosphereSubdivision" in Setting,
        lbp_3d_icosphere_subdivision: usize = 1, with_lbp_3d_icosphere_subdivision(usize);
        default "1", unit "subdivisions";
        range "a whole number from 0 to 5" by |value| whole_to(value, 0, 5);
        moves "LBP3D images";
        "How many times the triangles of the icosahedron are divided into four: 12 samples, then 42, 162 and so on.";
    }
    "Feature maps" {
        "kernelRadius" in VoxelSetting,
        kernel_radius: usize = 1, with_kernel_radius(usize);
        default "1", unit "voxels";
        range "a whole number from 1 to 64" by |value| whole_to(value, 1, 64);
        moves "feature maps";
        "How far the neighbourhood of a voxel reaches to each side.";

        "maskedKernel" in VoxelSetting,
        masked_kernel: bool = true, with_masked_kernel(bool);
        default "true", unit "none";
        range "true or false" by boolean;
        moves "feature maps";
        "Whether only voxels of the region count in a neighbourhood.";

        "initValue" in VoxelSetting,
        init_value: f64 = 0.0, with_init_value(impl Into<f64>);
        default "0", unit "that of the feature";
        range "a number" by any_number;
        moves "feature maps outside the region";
        "The value of a map outside the region; it may be NaN.";

        "voxelBatch" in VoxelSetting,
        voxel_batch: Option<usize> = None, with_voxel_batch(Option<usize>);
        default "null", unit "voxels";
        range "a whole number above 0" by |value| optional(value, |value| whole(value, 1));
        moves "nothing: maps are computed without batches, and the key is read for the sake of existing files";
        "The number of voxels that PyRadiomics computes at a time.";
    }
}

/// Settings that PyRadiomics reports even where a parameter file does not name them.
const REPORTED: [&str; 15] = [
    "minimumROIDimensions",
    "minimumROISize",
    "normalize",
    "normalizeScale",
    "removeOutliers",
    "resampledPixelSpacing",
    "interpolator",
    "preCrop",
    "padDistance",
    "distances",
    "force2D",
    "force2Ddimension",
    "resegmentRange",
    "label",
    "additionalInfo",
];

impl Settings {
    /// How grey values are discretised: `binCount` where it is set, `binWidth` otherwise.
    #[must_use]
    pub fn binning(&self) -> Binning {
        self.bin_count.map_or(Binning::Width(self.bin_width), Binning::Count)
    }

    /// `geometryTolerance`, ITK's default of 1e-6 where it is not set.
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        self.geometry_tolerance.unwrap_or(1e-6)
    }

    /// The settings that differ from the defaults, by PyRadiomics' keys, in the order of [`SETTINGS`].
    pub(super) fn given(&self) -> Vec<(String, SettingValue)> {
        let defaults = Self::default();
        let given = SETTINGS.iter().map(|key| (key, (key.get)(self)));
        let given = given.filter(|(key, value)| *value != (key.get)(&defaults));
        given.map(|(key, value)| (key.name.to_owned(), value)).collect()
    }
}

impl SettingKey {
    /// The key of that name, wherever it stands.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|key| key.name == name)
    }
}

/// Stores a value under a key of `group`.
pub(super) fn set(
    settings: &mut Settings,
    group: SettingGroup,
    entry: &Entry,
    value: &SettingValue,
) -> Result<(), ParameterError> {
    let keys = || SETTINGS.iter().filter(|key| key.group == group);
    let Some(key) = keys().find(|key| key.name == entry.name) else {
        return Err(ParameterError::unknown(&entry.name, entry.line, "key", group.name(), keys().map(|key| key.name)));
    };
    (key.set)(settings, value).ok_or_else(|| ParameterError::Value {
        line: entry.line,
        key: key.name.to_owned(),
        value: value.to_string(),
        expected: key.range.to_owned(),
    })
}

/// The defaults that PyRadiomics reports, in its order.
pub(super) fn reported_defaults() -> Vec<(String, SettingValue)> {
    let defaults = Settings::default();
    let reported = REPORTED.iter().filter_map(|name| SettingKey::named(name));
    reported
        .map(|key| {
            let default = match (key.get)(&defaults) {
                // Python's defaults are whole numbers where they can be.
                SettingValue::Float(value) if value.fract() == 0.0 => SettingValue::Integer(value as i64),
                value => value,
            };
            (key.name.to_owned(), default)
        })
        .collect()
}

/// The table of settings as Markdown: the text of `docs/parameters.md`.
#[cfg(test)]
fn markdown() -> String {
    let mut text = String::from(
        "# Settings of an extraction\n\nEach row is a key of PyRadiomics' parameter files and a field of \
         `alnm_radiomics::parameters::Settings`. Keys stand under `setting:`, those of \"Feature maps\" under \
         `voxelSetting:`; every key of `setting:` may also stand under an image type, for that image type only.\n",
    );
    let mut topic = "";
    for key in SETTINGS {
        if key.topic != topic {
            topic = key.topic;
            text += &format!(
                "\n## {topic}\n\n| key | field | default | meaning | unit | range | moves |\n|---|---|---|---|---|---|---|\n"
            );
        }
        let SettingKey { name, field, default, meaning, unit, range, moves, .. } = key;
        text += &format!("| `{name}` | `{field}` | `{default}` | {meaning} | {unit} | {range} | {moves} |\n");
    }
    text
}

/// The value of a setting as it stands in a parameter file.
trait Written {
    fn written(&self) -> SettingValue;
}

impl Written for bool {
    fn written(&self) -> SettingValue {
        SettingValue::Bool(*self)
    }
}

impl Written for i64 {
    fn written(&self) -> SettingValue {
        SettingValue::Integer(*self)
    }
}

impl Written for u32 {
    fn written(&self) -> SettingValue {
        SettingValue::Integer(i64::from(*self))
    }
}

impl Written for usize {
    fn written(&self) -> SettingValue {
        // A number beyond the range of the file is a number that the file refuses.
        i64::try_from(*self).map_or_else(|_| SettingValue::Float(*self as f64), SettingValue::Integer)
    }
}

impl Written for f64 {
    fn written(&self) -> SettingValue {
        SettingValue::Float(*self)
    }
}

impl Written for WaveletNames {
    fn written(&self) -> SettingValue {
        match self.names() {
            [name] => SettingValue::Text(name.clone()),
            names => SettingValue::List(names.iter().cloned().map(SettingValue::Text).collect()),
        }
    }
}

impl Written for Sigma {
    fn written(&self) -> SettingValue {
        match self {
            Self::Integer(value) => SettingValue::Integer(*value),
            Self::Float(value) => SettingValue::Float(*value),
        }
    }
}

impl<T: Written> Written for Option<T> {
    fn written(&self) -> SettingValue {
        self.as_ref().map_or(SettingValue::Null, Written::written)
    }
}

impl<T: Written> Written for Vec<T> {
    fn written(&self) -> SettingValue {
        SettingValue::List(self.iter().map(Written::written).collect())
    }
}

/// The word that stands for a value; a value without a word is written in a way that no key reads.
fn written_word<T: PartialEq + std::fmt::Debug>(value: &T, words: &[(&str, T)]) -> SettingValue {
    let word = words.iter().find(|(_, of_word)| of_word == value).map(|(word, _)| (*word).to_owned());
    SettingValue::Text(word.unwrap_or_else(|| format!("{value:?}")))
}

impl Written for Interpolator {
    fn written(&self) -> SettingValue {
        written_word(self, INTERPOLATORS)
    }
}

impl Written for ResegmentMode {
    fn written(&self) -> SettingValue {
        written_word(self, RESEGMENT_MODES)
    }
}

impl Written for PatternMethod {
    fn written(&self) -> SettingValue {
        written_word(self, PATTERN_METHODS)
    }
}

impl Written for WeightingNorm {
    fn written(&self) -> SettingValue {
        written_word(self, WEIGHTING_NORMS)
    }
}

/// In the order of SimpleITK's numbers.
const INTERPOLATORS: &[(&str, Interpolator)] = &[
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

const RESEGMENT_MODES: &[(&str, ResegmentMode)] =
    &[("absolute", ResegmentMode::Absolute), ("relative", ResegmentMode::Relative), ("sigma", ResegmentMode::Sigma)];

const PATTERN_METHODS: &[(&str, PatternMethod)] = &[
    ("default", PatternMethod::Default),
    ("ror", PatternMethod::RotationInvariant),
    ("uniform", PatternMethod::Uniform),
    ("var", PatternMethod::Variance),
];

const WEIGHTING_NORMS: &[(&str, WeightingNorm)] = &[
    ("euclidean", WeightingNorm::Euclidean),
    ("manhattan", WeightingNorm::Manhattan),
    ("infinity", WeightingNorm::Infinity),
    ("no_weighting", WeightingNorm::NoWeighting),
];

fn boolean(value: &SettingValue) -> Option<bool> {
    match value {
        SettingValue::Bool(value) => Some(*value),
        _ => None,
    }
}

fn integer(value: &SettingValue) -> Option<i64> {
    match value {
        SettingValue::Integer(value) => Some(*value),
        _ => None,
    }
}

fn whole(value: &SettingValue, minimum: i64) -> Option<usize> {
    integer(value).filter(|&value| value >= minimum).and_then(|value| usize::try_from(value).ok())
}

/// A whole number of a range whose end bounds the memory and the time that it can take.
fn whole_to(value: &SettingValue, minimum: i64, maximum: usize) -> Option<usize> {
    whole(value, minimum).filter(|&value| value <= maximum)
}

/// A finite number.
fn number(value: &SettingValue) -> Option<f64> {
    any_number(value).filter(|value| value.is_finite())
}

/// A number that may be NaN or infinite.
fn any_number(value: &SettingValue) -> Option<f64> {
    match value {
        SettingValue::Integer(value) => Some(*value as f64),
        SettingValue::Float(value) => Some(*value),
        _ => None,
    }
}

fn positive(value: &SettingValue) -> Option<f64> {
    number(value).filter(|&value| value > 0.0)
}

fn positive_to(value: &SettingValue, maximum: f64) -> Option<f64> {
    positive(value).filter(|&value| value <= maximum)
}

fn optional<T>(value: &SettingValue, read: impl Fn(&SettingValue) -> Option<T>) -> Option<Option<T>> {
    if *value == SettingValue::Null { Some(None) } else { read(value).map(Some) }
}

fn list<T>(value: &SettingValue, read: impl Fn(&SettingValue) -> Option<T>) -> Option<Vec<T>> {
    match value {
        SettingValue::List(items) => items.iter().map(read).collect(),
        _ => None,
    }
}

fn sigma(value: &SettingValue) -> Option<Sigma> {
    positive(value).map(|number| match value {
        SettingValue::Integer(value) => Sigma::Integer(*value),
        _ => Sigma::Float(number),
    })
}

fn distances(value: &SettingValue) -> Option<Vec<u32>> {
    list(value, |item| whole_to(item, 1, 32).and_then(|n| u32::try_from(n).ok()))
        .filter(|distances| !distances.is_empty())
}

fn resegment_range(value: &SettingValue) -> Option<Vec<f64>> {
    list(value, number).filter(|range| range.len() == 1 || range.len() == 2)
}

/// One of a few words.
fn word<T: Copy>(value: &SettingValue, words: &[(&str, T)]) -> Option<T> {
    match value {
        SettingValue::Text(text) => words.iter().find(|(word, _)| word == text).map(|(_, value)| *value),
        _ => None,
    }
}

fn interpolator(value: &SettingValue) -> Option<Option<Interpolator>> {
    optional(value, |value| match value {
        SettingValue::Integer(_) => {
            whole(value, 1).and_then(|n| INTERPOLATORS.get(n - 1)).map(|(_, interpolator)| *interpolator)
        }
        _ => word(value, INTERPOLATORS),
    })
}

/// One name, or a list in which each stands once.
fn wavelet_names(value: &SettingValue) -> Option<WaveletNames> {
    let name = |value: &SettingValue| match value {
        SettingValue::Text(name) if wavelet::Filters::named(name).is_some() => Some(name.clone()),
        _ => None,
    };
    if let Some(name) = name(value) {
        return Some(name.into());
    }
    let names = list(value, name)?;
    let is_new = |(place, name): (usize, &String)| !names[..place].contains(name);
    (!names.is_empty() && names.iter().enumerate().all(is_new)).then(|| names.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_default_is_the_default() {
        for key in SETTINGS {
            let text = format!("{}: {}", key.name, key.default);
            let entries = super::super::document::parse(&text).unwrap().entries("defaults").unwrap();
            let mut settings = Settings::default();
            set(&mut settings, key.group, &entries[0].0, &entries[0].1.node).unwrap();
            assert_eq!(settings, Settings::default(), "{text}");
        }
    }

    #[test]
    fn the_documentation_is_the_table() {
        let expected = markdown();
        let text = include_str!("../../docs/parameters.md");
        assert!(text == expected, "docs/parameters.md should be\n{expected}");
    }

    #[test]
    fn keys_are_unique_and_documented() {
        assert_eq!(reported_defaults().len(), REPORTED.len());
        for (position, key) in SETTINGS.iter().enumerate() {
            assert!(SETTINGS[..position].iter().all(|other| other.name != key.name), "{}", key.name);
            for text in [key.meaning, key.unit, key.default, key.range, key.moves] {
                assert!(!text.is_empty() && !text.contains('|'), "{}: {text:?}", key.name);
            }
        }
    }

    #[test]
    fn every_value_is_read_as_it_is_written() {
        let settings = Settings::default()
            .with_bin_count(Some(32))
            .with_interpolator(Interpolator::LanczosSinc)
            .with_resegment_range(vec![-1.5, 3.0])
            .with_resegment_mode(ResegmentMode::Sigma)
            .with_weighting_norm(WeightingNorm::Infinity)
            .with_lbp_2d_method(PatternMethod::Variance)
            .with_sigma([Sigma::Integer(3), Sigma::Float(0.5)])
            .with_wavelet(["haar", "bior1.1"])
            .with_init_value(f64::INFINITY);
        let mut read = Settings::default();
        for key in SETTINGS {
            assert_eq!((key.set)(&mut read, &(key.get)(&settings)), Some(()), "{}", key.name);
        }
        assert_eq!(read, settings);
    }
}

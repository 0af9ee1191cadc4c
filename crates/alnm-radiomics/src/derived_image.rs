//! The images of an image type, cut to the box that features need.

use alnm_imaging::region::VoxelBox;
use alnm_imaging::{Geometry, Image, PixelType, Voxel, with_volume};

use crate::error::{RadiomicsError, Result};
use crate::filter::{box_values, gradient, lbp2d, lbp3d, log, pointwise, wavelet};
use crate::grey_values::GreyValues;
use crate::image_type::ImageType;
use crate::parameter_error::ParameterError;
use crate::parameters::{Settings, Sigma};
use crate::warning::Warning;

/// Voxels that a wavelet transform may gather: 8 GiB in double precision.
const MOST_GATHERED: usize = 1 << 30;

/// Grey values of a derived image in a box.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DerivedImage {
    /// Name that the columns start with, such as `wavelet-LLH`.
    pub(crate) name: String,
    /// The values in raster order.
    pub(crate) values: GreyValues,
    /// Whether the image holds single-precision numbers.
    pub(crate) single_precision: bool,
}

/// Derived images and what there is to say about those that are missing.
#[derive(Debug, Default)]
pub(crate) struct DerivedImages {
    /// The images in the order of the columns.
    pub(crate) images: Vec<DerivedImage>,
    /// Why images are missing.
    pub(crate) warnings: Vec<Warning>,
}

impl DerivedImages {
    fn single(name: &str, values: impl Into<GreyValues>, single_precision: bool) -> Self {
        let image = DerivedImage { name: name.to_owned(), values: values.into(), single_precision };
        Self { images: vec![image], warnings: Vec::new() }
    }
}

/// The axis that features and filters do not step along (0 = z, 1 = y, 2 = x): `force2Ddimension` counts the axes of
/// the image, of which a two-dimensional one has no z.
pub(crate) fn fixed_axis(settings: &Settings, dimension: usize) -> Option<usize> {
    let axis = settings.force_2d_dimension + 3 - dimension;
    (settings.force_2d && axis < 3).then_some(axis)
}

/// The images of `image_type` in the box `part` of the image. `inside` says which voxels of the box belong to the
/// region, in raster order; only LBP3D, which is costly, leaves the others out.
///
/// # Errors
/// When a filter cannot be applied to the image.
pub(crate) fn derive(
    image: &Image,
    image_type: ImageType,
    settings: &Settings,
    part: VoxelBox,
    inside: &[bool],
) -> Result<DerivedImages> {
    let single = image.pixel_type() == PixelType::F32;
    let cut = || box_values(image, part);
    let largest = || with_volume!(image, volume => pointwise::largest_magnitude(volume.as_slice().iter().map(|&voxel| Voxel::to_f64(voxel))));
    Ok(match image_type {
        ImageType::Original => DerivedImages::single("original", GreyValues::of_box(image, part), single),
        ImageType::Square => DerivedImages::single("square", pointwise::square(&cut(), largest()), false),
        ImageType::SquareRoot => DerivedImages::single("squareroot", pointwise::square_root(&cut(), largest()), false),
        ImageType::Logarithm => DerivedImages::single("logarithm", pointwise::logarithm(&cut(), largest()), false),
        ImageType::Exponential => {
            DerivedImages::single("exponential", pointwise::exponential(&cut(), largest()), false)
        }
        ImageType::Gradient => DerivedImages::single("gradient", gradient_magnitude(image, settings, part), true),
        ImageType::LBP2D => patterns_in_slices(image, settings, part),
        ImageType::LBP3D => patterns_on_spheres(image, settings, part, inside),
        ImageType::LoG => laplacians(image, settings, part),
        ImageType::Wavelet => sub_bands(image, settings, part)?,
    })
}

/// The names of an image type's images for an image with `dimension` axes, in their order. With a `geometry`,
/// Laplacians that the image is too small for are left out.
pub(crate) fn image_names(
    image_type: ImageType,
    settings: &Settings,
    dimension: usize,
    geometry: Option<&Geometry>,
) -> Vec<String> {
    match image_type {
        ImageType::LBP3D if dimension == 2 => Vec::new(),
        ImageType::LBP3D => (1..=settings.lbp_3d_levels).map(sphere_name).chain([SPHERE_KURTOSIS.to_owned()]).collect(),
        ImageType::LoG => {
            let fits = |sigma: &&Sigma| geometry.is_none_or(|geometry| laplacian_fits(geometry, sigma.value()));
            settings.sigma.iter().filter(fits).map(|&sigma| laplacian_name(sigma)).collect()
        }
        ImageType::Wavelet => {
            let axes = dimension - usize::from(fixed_axis(settings, dimension).is_some());
            let bands = wavelet::band_names(axes, settings.level);
            let of_wavelet = |name: &String| -> Vec<String> {
                bands.iter().map(|(level, letters)| band_name(settings, name, *level, letters)).collect()
            };
            settings.wavelet.names().iter().flat_map(of_wavelet).collect()
        }
        ImageType::LBP2D => vec!["lbp-2D".to_owned()],
        other => vec![other.name().to_lowercase()],
    }
}

fn gradient_magnitude(image: &Image, settings: &Settings, part: VoxelBox) -> Vec<f32> {
    let [x, y, z] = image.geometry().spacing();
    let spacing = if settings.gradient_use_spacing { [z, y, x] } else { [1.0; 3] };
    gradient::magnitude(image, spacing, part)
}

fn laplacians(image: &Image, settings: &Settings, part: VoxelBox) -> DerivedImages {
    let geometry = image.geometry();
    let mut derived = DerivedImages::default();
    if settings.sigma.is_empty() {
        derived.warnings.push(Warning::NoSigma);
    }
    for &sigma in &settings.sigma {
        let width = sigma.value();
        if !laplacian_fits(geometry, width) {
            derived.warnings.push(Warning::SigmaSkipped { sigma: width, size: geometry.size() });
            continue;
        }
        let values = log::laplacian_of_gaussian(image, width, part);
        derived.images.push(DerivedImage {
            name: laplacian_name(sigma),
            values: values.into(),
            single_precision: true,
        });
    }
    derived
}

/// Whether an image is large enough for the recursion of a Laplacian of `sigma` mm.
fn laplacian_fits(geometry: &Geometry, sigma: f64) -> bool {
    let (size, spacing) = (geometry.size(), geometry.spacing());
    (0..geometry.dimension())
        .all(|axis| size[axis] >= log::MINIMUM_LENGTH && size[axis] as f64 >= (sigma / spacing[axis]).ceil() + 1.0)
}

/// `log-sigma-3-0-mm-3D` for 3.0, `log-sigma-3-mm-3D` for 3.
fn laplacian_name(sigma: Sigma) -> String {
    format!("log-sigma-{}-mm-3D", sigma.to_string().replace('.', "-"))
}

fn sub_bands(image: &Image, settings: &Settings, part: VoxelBox) -> Result<DerivedImages> {
    let mut derived = DerivedImages::default();
    for name in settings.wavelet.names() {
        derived.images.extend(sub_bands_of(name, image, settings, part)?);
    }
    Ok(derived)
}

fn sub_bands_of(name: &str, image: &Image, settings: &Settings, part: VoxelBox) -> Result<Vec<DerivedImage>> {
    let dimension = image.geometry().dimension();
    let fixed = fixed_axis(settings, dimension);
    let axes: Vec<usize> = (3 - dimension..3).rev().filter(|&axis| Some(axis) != fixed).collect();
    let filters = wavelet::Filters::named(name).ok_or_else(|| ParameterError::Value {
        line: None,
        key: "wavelet".to_owned(),
        value: name.to_owned(),
        expected: "a discrete wavelet of PyWavelets, such as coif1".to_owned(),
    })?;
    let transform = wavelet::WaveletTransform::new(filters)
        .with_axes(axes)
        .with_start_level(settings.start_level)
        .with_levels(settings.level);
    let shape = transform.gathered_shape(part.shape());
    if shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n)).is_none_or(|n| n > MOST_GATHERED) {
        let (wavelet, levels) = (name.to_owned(), settings.start_level + settings.level);
        return Err(RadiomicsError::WaveletTooWide { wavelet, levels, shape });
    }
    let single = image.pixel_type() == PixelType::F32;
    let bands = transform.apply(image, part);
    let named = |band: wavelet::SubBand| DerivedImage {
        name: band_name(settings, name, band.level, &band.letters),
        values: band.values.into(),
        single_precision: single,
    };
    Ok(bands.into_iter().map(named).collect())
}

/// `wavelet-LLH` for the first level, `wavelet2-LLH` for the second; with the wavelet's name where there are several,
/// as in `wavelet-bior1-1-LLH`.
fn band_name(settings: &Settings, wavelet: &str, level: usize, letters: &str) -> String {
    let level = if level == 1 { String::new() } else { level.to_string() };
    match settings.wavelet.names() {
        [_] => format!("wavelet{level}-{letters}"),
        _ => format!("wavelet{level}-{}-{letters}", wavelet.replace('.', "-")),
    }
}

const SPHERE_KURTOSIS: &str = "lbp-3D-k";

fn sphere_name(level: usize) -> String {
    format!("lbp-3D-m{level}")
}

/// Patterns in the slices across `force2Ddimension`. PyRadiomics writes the codes of a volume into an image of its own
/// type.
fn patterns_in_slices(image: &Image, settings: &Settings, part: VoxelBox) -> DerivedImages {
    let geometry = image.geometry();
    let shape = geometry.shape();
    let pattern = lbp2d::Pattern::new(settings.lbp_2d_radius, settings.lbp_2d_samples, settings.lbp_2d_method);
    let planar = geometry.dimension() == 2;
    let across = if planar { 0 } else { settings.force_2d_dimension };
    // Rows and columns of a slice.
    let (rows, columns) = [(1, 2), (0, 2), (1, 0)][across];
    // The slices that cross the box, each as a whole.
    let mut crossing = shape.map(|n| 0..n);
    crossing[across] = part.ranges_zyx()[across].clone();
    let slices = VoxelBox::from_ranges_zyx(crossing);
    let voxels = box_values(image, slices);
    let [_, height, width] = slices.shape();
    let strides = [height * width, width, 1];
    let slice = |position: usize| -> Vec<f64> {
        let pixel = |i: usize, j: usize| voxels[position * strides[across] + i * strides[rows] + j * strides[columns]];
        (0..shape[rows]).flat_map(|i| (0..shape[columns]).map(move |j| pixel(i, j))).collect()
    };
    let in_order: Vec<Vec<f64>> = (0..slices.shape()[across]).map(slice).collect();
    let (mut values, mut texture) = (Vec::with_capacity(part.voxel_count()), Vec::new());
    let [zs, ys, xs] = part.ranges_zyx();
    for z in zs {
        for y in ys.clone() {
            for x in xs.clone() {
                let place = [z, y, x];
                let slice = &in_order[place[across] - part.start_zyx()[across]];
                let (size, pixel) = ([shape[rows], shape[columns]], [place[rows], place[columns]]);
                let code = pattern.code(&mut texture, slice, size, pixel);
                values.push(if planar { code } else { lbp2d::cast_by_numpy(image.pixel_type(), code) });
            }
        }
    }
    let single = !planar && image.pixel_type() == PixelType::F32;
    let mut derived = DerivedImages::single("lbp-2D", values, single);
    if !planar && !settings.force_2d {
        derived.warnings.push(Warning::PatternsInSlices);
    }
    derived
}

fn patterns_on_spheres(image: &Image, settings: &Settings, part: VoxelBox, inside: &[bool]) -> DerivedImages {
    if image.geometry().dimension() == 2 {
        return DerivedImages { images: Vec::new(), warnings: vec![Warning::SpheresNeedVolume] };
    }
    let pattern = lbp3d::SphericalPattern::new(
        settings.lbp_3d_icosphere_radius,
        settings.lbp_3d_icosphere_subdivision,
        settings.lbp_3d_levels,
    );
    let mut images = pattern.images(image, part, inside);
    let kurtosis = images.pop().unwrap_or_default();
    let levels = (1..).map(sphere_name).zip(images).chain([(SPHERE_KURTOSIS.to_owned(), kurtosis)]);
    let images = levels.map(|(name, values)| DerivedImage { name, values: values.into(), single_precision: false });
    let images = images.collect();
    DerivedImages { images, warnings: Vec::new() }
}

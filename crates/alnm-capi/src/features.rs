//! Radiomics: parameters, an extraction, its values by name.

use std::ffi::{CString, c_char};
use std::ptr;

use alnm_radiomics::{Extractor, Image, MaskRef, Parameters};

use crate::border::{AlnmStatus, Failure, borrowed, guarded, hand_out, on_threads, take_back, text};
use crate::image::AlnmImage;

/// What an extraction computes, and how.
#[derive(Debug)]
pub struct AlnmParameters(Parameters);

/// The features of a region, which are accessed by their index, from 0.
#[derive(Debug)]
pub struct AlnmFeatures {
    names: Vec<CString>,
    values: Vec<f64>,
    warnings: Vec<CString>,
}

/// Makes parameters from the text of a PyRadiomics parameter file (YAML or JSON), in UTF-8; a null pointer gives
/// PyRadiomics' defaults.
///
/// # Safety
/// `parameters` is null or points to a text that ends with a zero byte, `out` points to memory for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_parameters_new(parameters: *const c_char, out: *mut *mut AlnmParameters) -> AlnmStatus {
    let make = || {
        if parameters.is_null() {
            return Ok(AlnmParameters(Parameters::default()));
        }
        // SAFETY: promised by the caller.
        let parameters = unsafe { text(parameters, "parameters") }?;
        Ok(AlnmParameters(Parameters::from_yaml(parameters)?))
    };
    // SAFETY: promised by the caller.
    unsafe { hand_out(out, "out", make) }
}

/// Frees parameters; does nothing for a null pointer.
///
/// # Safety
/// `parameters` is null or a handle of this library that was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_parameters_free(parameters: *mut AlnmParameters) {
    // SAFETY: promised by the caller.
    unsafe { take_back(parameters) }
}

/// The text up to its first zero byte, which no name and no warning has.
fn c_text(text: &impl ToString) -> CString {
    let bytes: Vec<u8> = text.to_string().into_bytes();
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

/// Computes the features of the region that `label` marks in the mask, on `threads` threads (0 for as many as the
/// processor has; the values do not depend on them). The handles may be shared by several threads of the caller.
///
/// Fails where image and mask lie on different grids, the label is absent, the region is too small, or a voxel is not
/// finite.
///
/// # Safety
/// `image`, `mask` and `parameters` are handles of this library, `out` points to memory for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_extract(
    image: *const AlnmImage,
    mask: *const AlnmImage,
    label: u32,
    parameters: *const AlnmParameters,
    threads: u32,
    out: *mut *mut AlnmFeatures,
) -> AlnmStatus {
    let make = || {
        // SAFETY: promised by the caller.
        let (image, mask) = unsafe { (borrowed(image, "image")?, borrowed(mask, "mask")?) };
        // SAFETY: promised by the caller.
        let parameters = unsafe { borrowed(parameters, "parameters") }?;
        let label_map;
        let mask = match &mask.0 {
            Image::U8(labels) => MaskRef::from(labels),
            other => {
                label_map = other.label_map()?;
                MaskRef::from(&label_map)
            }
        };
        let extractor = Extractor::new(parameters.0.clone());
        let extraction = on_threads(threads, || Ok(extractor.execute(&image.0, mask, label)?))?;
        Ok(AlnmFeatures {
            names: extraction.features.iter().map(|feature| c_text(&feature.id.name())).collect(),
            values: extraction.features.iter().map(|feature| feature.value).collect(),
            warnings: extraction.warnings.iter().map(c_text).collect(),
        })
    };
    // SAFETY: promised by the caller.
    unsafe { hand_out(out, "out", make) }
}

/// How many features there are, 0 for a null pointer.
///
/// # Safety
/// `features` is null or a handle of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_features_count(features: *const AlnmFeatures) -> usize {
    // SAFETY: promised by the caller.
    unsafe { features.as_ref() }.map_or(0, |features| features.values.len())
}

fn nth(texts: &[CString], index: usize) -> *const c_char {
    texts.get(index).map_or(ptr::null(), |text| text.as_ptr())
}

/// The name of a feature as in PyRadiomics, such as `original_firstorder_Mean`; null if `index` is not below the number
/// of features. The text stays valid as long as the features do.
///
/// # Safety
/// `features` is null or a handle of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_features_name(features: *const AlnmFeatures, index: usize) -> *const c_char {
    // SAFETY: promised by the caller.
    unsafe { features.as_ref() }.map_or(ptr::null(), |features| nth(&features.names, index))
}

/// The value of a feature; NaN where it is undefined.
///
/// # Safety
/// `features` is a handle of this library, `out` points to memory for a value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_features_value(features: *const AlnmFeatures, index: usize, out: *mut f64) -> AlnmStatus {
    guarded(|| {
        // SAFETY: promised by the caller.
        let values = &unsafe { borrowed(features, "features") }?.values;
        let value = *values
            .get(index)
            .ok_or_else(|| Failure::Error(format!("index is {index}; it must be below {}", values.len())))?;
        if out.is_null() {
            return Err(Failure::Null("out"));
        }
        // SAFETY: `out` points to memory for a value: promised by the caller.
        unsafe { out.write(value) };
        Ok(())
    })
}

/// How many warnings the extraction gave, 0 for a null pointer.
///
/// # Safety
/// `features` is null or a handle of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_features_warning_count(features: *const AlnmFeatures) -> usize {
    // SAFETY: promised by the caller.
    unsafe { features.as_ref() }.map_or(0, |features| features.warnings.len())
}

/// A warning of the extraction; null if `index` is not below the number of warnings. The text stays valid as long as
/// the features do.
///
/// # Safety
/// `features` is null or a handle of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_features_warning(features: *const AlnmFeatures, index: usize) -> *const c_char {
    // SAFETY: promised by the caller.
    unsafe { features.as_ref() }.map_or(ptr::null(), |features| nth(&features.warnings, index))
}

/// Frees features; does nothing for a null pointer.
///
/// # Safety
/// `features` is null or a handle of this library that was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_features_free(features: *mut AlnmFeatures) {
    // SAFETY: promised by the caller.
    unsafe { take_back(features) }
}

//! N4 bias field correction.

use alnm_imaging::n4::{ControlGrid, N4Params};
use alnm_imaging::with_volume;

use crate::border::{AlnmStatus, Failure, borrowed, guarded, hand_out, on_threads};
use crate::image::AlnmImage;

/// The parameters of N4; `alnm_n4_default` fills in ITK's defaults.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlnmN4 {
    /// The maximum number of iterations on each level; ITK's default is 50.
    pub iterations: u32,
    /// The number of levels, from 1 to 10; ITK's default is 4.
    pub levels: u32,
    /// A level ends when the change of the field is at most this; ITK's default is 0.001.
    pub convergence_threshold: f64,
    /// The full width at half maximum of the field's histogram; ITK's default is 0.15.
    pub bias_fwhm: f64,
    /// Control points per axis on the first level; ITK's default is 4.
    pub control_points: u32,
    /// The field is found on every n-th voxel and applied to all; 1 takes every voxel.
    pub shrink: u32,
    /// The label of the mask's voxels; 0 takes every voxel that is not 0.
    pub mask_label: u32,
}

/// Fills in ITK's defaults.
///
/// # Safety
/// `out` points to memory for the options.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_n4_default(out: *mut AlnmN4) -> AlnmStatus {
    guarded(|| {
        if out.is_null() {
            return Err(Failure::Null("out"));
        }
        let options = AlnmN4 {
            iterations: 50,
            levels: 4,
            convergence_threshold: 0.001,
            bias_fwhm: 0.15,
            control_points: 4,
            shrink: 1,
            mask_label: 1,
        };
        // SAFETY: `out` points to memory for the options: promised by the caller.
        unsafe { out.write(options) };
        Ok(())
    })
}

impl AlnmN4 {
    fn params(&self) -> Result<N4Params, Failure> {
        // The list of iterations is made here, so its length is looked at before it is.
        if !(1..=10).contains(&self.levels) {
            return Err(Failure::Error(format!("levels is {}; it must be from 1 to 10", self.levels)));
        }
        Ok(N4Params::default()
            .with_iterations(vec![self.iterations as usize; self.levels as usize])
            .with_convergence_threshold(self.convergence_threshold)
            .with_bias_fwhm(self.bias_fwhm)
            .with_control_grid(ControlGrid::Points([self.control_points as usize; 3]))
            .with_shrink(self.shrink as usize)
            .with_mask_label((self.mask_label != 0).then_some(self.mask_label)))
    }
}

/// Corrects the bias field of an image; the result is an image of 32-bit floating point numbers on the same grid. With
/// a null pointer as `mask` every voxel is used, with a null pointer as `options` ITK's defaults. `threads` is the
/// number of threads, 0 for as many as the processor has; the result does not depend on it.
///
/// Fails where image and mask lie on different grids, no voxel belongs to the mask, a voxel is not finite, or an option
/// is out of its range.
///
/// # Safety
/// `image` is a handle of this library, `mask` one or null, `options` points to options or is null, `out` points to
/// memory for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_n4(
    image: *const AlnmImage,
    mask: *const AlnmImage,
    options: *const AlnmN4,
    threads: u32,
    out: *mut *mut AlnmImage,
) -> AlnmStatus {
    let make = || {
        // SAFETY: promised by the caller.
        let image = unsafe { borrowed(image, "image") }?;
        // SAFETY: promised by the caller.
        let (mask, options) = unsafe { (mask.as_ref(), options.as_ref()) };
        let params = options.map_or_else(|| Ok(N4Params::default()), AlnmN4::params)?;
        let n4 = params.check()?;
        let mask = mask.map(|mask| mask.0.label_map()).transpose()?;
        let result = on_threads(threads, || Ok(with_volume!(&image.0, volume => n4.correct(volume, mask.as_ref()))?))?;
        Ok(AlnmImage(result.into_corrected().into()))
    };
    // SAFETY: promised by the caller.
    unsafe { hand_out(out, "out", make) }
}

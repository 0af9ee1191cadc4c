//! Images and masks: an array of voxels and its place in space.

use std::ffi::{c_char, c_void};
use std::slice;

use alnm_imaging::{Geometry, Image, MAX_VOXEL_BYTES, Volume, Voxel, read_image, with_volume};
use ndarray::Array3;

use crate::border::{AlnmStatus, Failure, borrowed, guarded, hand_out, take_back, text};

/// An image, or a mask: an image whose voxels are labels.
#[derive(Debug)]
pub struct AlnmImage(pub(crate) Image);

/// The type of the voxels of an array.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlnmVoxelType {
    /// Unsigned integers of 8 bits.
    U8 = 0,
    /// Signed integers of 8 bits.
    I8 = 1,
    /// Unsigned integers of 16 bits.
    U16 = 2,
    /// Signed integers of 16 bits.
    I16 = 3,
    /// Unsigned integers of 32 bits.
    U32 = 4,
    /// Signed integers of 32 bits.
    I32 = 5,
    /// Floating point of 32 bits.
    F32 = 6,
    /// Floating point of 64 bits.
    F64 = 7,
}

/// The grid of an image in space, in LPS coordinates as in ITK and DICOM (x to the left, y to the back, z to the head).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlnmGeometry {
    /// Voxels along x, y and z; a `dimension` of 2 leaves the last one out.
    pub size: [usize; 3],
    /// Distance of the centres of neighbouring voxels along x, y and z, in mm.
    pub spacing: [f64; 3],
    /// The centre of the first voxel, in mm.
    pub origin: [f64; 3],
    /// The direction cosines of the axes, row after row; the columns are the axes.
    pub direction: [f64; 9],
    /// 3, or 2 for a two-dimensional image, for which only the first two sizes, spacings and coordinates and the upper
    /// left 2 x 2 part of `direction` are used.
    pub dimension: u32,
}

impl AlnmGeometry {
    fn check(&self) -> Result<Geometry, Failure> {
        let [a, b, c, d, e, f, g, h, i] = self.direction;
        match self.dimension {
            3 => Ok(Geometry::new(self.size, self.spacing, self.origin, [[a, b, c], [d, e, f], [g, h, i]])?),
            2 => {
                let plane = |values: [f64; 3]| [values[0], values[1]];
                let [width, height, _] = self.size;
                Ok(Geometry::planar([width, height], plane(self.spacing), plane(self.origin), [[a, b], [d, e]])?)
            }
            other => Err(Failure::Error(format!("dimension is {other}; it must be 2 or 3"))),
        }
    }

    fn of(geometry: &Geometry) -> Self {
        let [[a, b, c], [d, e, f], [g, h, i]] = geometry.direction();
        Self {
            size: geometry.size(),
            spacing: geometry.spacing(),
            origin: geometry.origin(),
            direction: [a, b, c, d, e, f, g, h, i],
            dimension: if geometry.dimension() == 2 { 2 } else { 3 },
        }
    }
}

/// A volume with a copy of the caller's voxels.
///
/// # Safety
/// `voxels` points to as many values of this type as the grid has voxels.
unsafe fn copied<T: Voxel>(voxels: *const c_void, geometry: Geometry) -> Result<Volume<T>, Failure> {
    let count = geometry.voxel_count();
    if count as u64 > MAX_VOXEL_BYTES / size_of::<T>() as u64 {
        return Err(Failure::Error(format!(
            "the array has {count} voxels of {} bytes; an image has at most {} GiB",
            size_of::<T>(),
            MAX_VOXEL_BYTES >> 30
        )));
    }
    let voxels = voxels.cast::<T>();
    if !voxels.is_aligned() {
        return Err(Failure::Error(format!(
            "voxels is at {voxels:p}; it must be aligned to {} bytes",
            align_of::<T>()
        )));
    }
    let mut copy = Vec::new();
    copy.try_reserve_exact(count)?;
    // SAFETY: the pointer is aligned, not null (the caller checked) and, as promised, has `count` values.
    copy.extend_from_slice(unsafe { slice::from_raw_parts(voxels, count) });
    Ok(Volume::new(Array3::from_shape_vec(geometry.shape(), copy)?, geometry)?)
}

/// Makes an image from an array, which is copied: x runs fastest, then y, then z. `voxel_type` is one of the constants
/// `ALNM_VOXEL_TYPE_...`. A mask is made in the same way; its voxels are whole numbers, and 0 is the background.
///
/// Fails if the grid is invalid (a size of 0, a spacing that is not above 0, a direction matrix that is not a rotation)
/// and if there is not enough memory.
///
/// # Safety
/// `geometry` points to a geometry, `voxels` to as many values of the type as it has voxels, `out` to memory for a
/// pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_image_new(
    geometry: *const AlnmGeometry,
    voxel_type: u32,
    voxels: *const c_void,
    out: *mut *mut AlnmImage,
) -> AlnmStatus {
    let make = || {
        // SAFETY: promised by the caller.
        let geometry = unsafe { borrowed(geometry, "geometry") }?.check()?;
        if voxels.is_null() {
            return Err(Failure::Null("voxels"));
        }
        macro_rules! of_type {
            ($($kind:ident: $voxel:ty),*) => {
                match voxel_type {
                    // SAFETY: promised by the caller.
                    $(kind if kind == AlnmVoxelType::$kind as u32 => unsafe { copied::<$voxel>(voxels, geometry) }?.into(),)*
                    other => return Err(Failure::Error(format!("voxel_type is {other}; it must be at most 7"))),
                }
            };
        }
        Ok(AlnmImage(of_type!(U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, F32: f32, F64: f64)))
    };
    // SAFETY: promised by the caller.
    unsafe { hand_out(out, "out", make) }
}

/// Reads an image or a mask from a file (NIfTI, NRRD, MetaImage, DICOM) or a folder of DICOM slices. `path` is UTF-8.
///
/// # Safety
/// `path` points to a text that ends with a zero byte, `out` to memory for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_image_read(path: *const c_char, out: *mut *mut AlnmImage) -> AlnmStatus {
    // SAFETY: promised by the caller.
    let make = || Ok(AlnmImage(read_image(unsafe { text(path, "path") }?)?));
    // SAFETY: promised by the caller.
    unsafe { hand_out(out, "out", make) }
}

/// The grid of an image in space.
///
/// # Safety
/// `image` is a handle of this library, `out` points to memory for a geometry.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_image_geometry(image: *const AlnmImage, out: *mut AlnmGeometry) -> AlnmStatus {
    guarded(|| {
        // SAFETY: promised by the caller.
        let image = unsafe { borrowed(image, "image") }?;
        if out.is_null() {
            return Err(Failure::Null("out"));
        }
        // SAFETY: `out` points to memory for a geometry: promised by the caller.
        unsafe { out.write(AlnmGeometry::of(image.0.geometry())) };
        Ok(())
    })
}

/// How many voxels an image has, 0 for a null pointer.
///
/// # Safety
/// `image` is null or a handle of this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_image_voxel_count(image: *const AlnmImage) -> usize {
    // SAFETY: promised by the caller.
    unsafe { image.as_ref() }.map_or(0, |image| image.0.geometry().voxel_count())
}

/// Copies the voxels of an image as 64-bit floating point numbers to the caller's memory, which has room for `count`
/// values; x runs fastest. `count` must be the number that `alnm_image_voxel_count` returns.
///
/// # Safety
/// `image` is a handle of this library, `out` points to memory for `count` values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_image_copy(image: *const AlnmImage, out: *mut f64, count: usize) -> AlnmStatus {
    guarded(|| {
        // SAFETY: promised by the caller.
        let image = &unsafe { borrowed(image, "image") }?.0;
        if out.is_null() {
            return Err(Failure::Null("out"));
        }
        let voxels = image.geometry().voxel_count();
        if count != voxels {
            return Err(Failure::Error(format!("count is {count}; it must be the number of voxels, {voxels}")));
        }
        with_volume!(image, volume => {
            for (position, voxel) in volume.as_slice().iter().enumerate() {
                // SAFETY: `position` is below `count`, for which there is memory: promised by the caller.
                unsafe { out.add(position).write(voxel.to_f64()) };
            }
        });
        Ok(())
    })
}

/// Frees an image; does nothing for a null pointer.
///
/// # Safety
/// `image` is null or a handle of this library that was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn alnm_image_free(image: *mut AlnmImage) {
    // SAFETY: promised by the caller.
    unsafe { take_back(image) }
}

//! Voxels on a grid.

use std::ops::Range;

use ndarray::Array3;
use rayon::prelude::*;

use crate::error::{ImagingError, NonFiniteVoxel, Result};
use crate::geometry::Geometry;
use crate::large_pages::prefer_large_pages;

/// The type of a voxel as it stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelType {
    /// Unsigned 8-bit integer.
    U8,
    /// Signed 8-bit integer.
    I8,
    /// Unsigned 16-bit integer.
    U16,
    /// Signed 16-bit integer.
    I16,
    /// Unsigned 32-bit integer.
    U32,
    /// Signed 32-bit integer.
    I32,
    /// Unsigned 64-bit integer.
    U64,
    /// Signed 64-bit integer.
    I64,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl PixelType {
    /// Whether voxels of this type are floating-point numbers.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Bytes of one voxel.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// A number that a voxel can hold.
pub trait Voxel: Copy + PartialOrd + Send + Sync + std::fmt::Debug + 'static {
    /// The name of the type.
    const PIXEL_TYPE: PixelType;

    /// The value as a double; exact for all but 64-bit integers beyond 2⁵³.
    fn to_f64(self) -> f64;

    /// A double as this type, as ITK casts interpolated values: clamped to the type's range, then truncated towards
    /// zero for integers.
    fn from_f64(value: f64) -> Self;

    /// The volume as a dynamically typed image.
    fn into_image(volume: Volume<Self>) -> Image;

    /// The volume as a dynamically typed image, borrowed.
    #[doc(hidden)]
    fn image_ref(volume: &Volume<Self>) -> ImageRef<'_>;

    /// The volume of an image whose voxels have this type.
    #[doc(hidden)]
    fn from_image(image: Image) -> Option<Volume<Self>>;
}

macro_rules! voxels {
    ($($kind:ident $t:ty),*) => {
        $(
        #[allow(trivial_numeric_casts, reason = "f64 is one of the types")]
        impl Voxel for $t {
            const PIXEL_TYPE: PixelType = PixelType::$kind;

            #[inline]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline]
            fn from_f64(value: f64) -> Self {
                value as $t
            }

            fn into_image(volume: Volume<Self>) -> Image {
                Image::$kind(volume)
            }

            fn image_ref(volume: &Volume<Self>) -> ImageRef<'_> {
                ImageRef::$kind(volume)
            }

            fn from_image(image: Image) -> Option<Volume<Self>> {
                if let Image::$kind(volume) = image { Some(volume) } else { None }
            }
        })*

        /// An [`Image`] that is borrowed. Work that is generic on the outside is done on this, so that its code is
        /// compiled once, in this crate, and not in every crate that calls it.
        #[doc(hidden)]
        #[derive(Debug, Clone, Copy)]
        #[allow(missing_docs)]
        pub enum ImageRef<'a> { $($kind(&'a Volume<$t>)),* }

        impl<'a> ImageRef<'a> {
            /// The grid.
            pub fn geometry(self) -> &'a Geometry {
                match self { $(Self::$kind(volume) => volume.geometry()),* }
            }

            /// Bytes of one voxel.
            pub(crate) fn voxel_bytes(self) -> usize {
                match self { $(Self::$kind(_) => size_of::<$t>()),* }
            }

            /// The voxels as doubles, row by row.
            pub(crate) fn rows(self) -> &'a dyn Rows {
                match self { $(Self::$kind(volume) => volume),* }
            }
        }

        impl Image {
            /// The image, borrowed.
            pub(crate) fn borrowed(&self) -> ImageRef<'_> {
                match self { $(Self::$kind(volume) => ImageRef::$kind(volume)),* }
            }
        }

        /// A volume whose voxel type was read from a file.
        #[derive(Debug, Clone, PartialEq)]
        #[allow(missing_docs)]
        pub enum Image { $($kind(Volume<$t>)),* }

        impl Image {
            /// Type of the voxels.
            pub fn pixel_type(&self) -> PixelType {
                match self { $(Self::$kind(_) => PixelType::$kind),* }
            }

            /// The grid.
            pub fn geometry(&self) -> &Geometry {
                match self { $(Self::$kind(volume) => volume.geometry()),* }
            }

            /// The voxels converted as [`Voxel::from_f64`] does.
            pub fn cast<U: Voxel>(&self) -> Volume<U> {
                match self { $(Self::$kind(volume) => volume.cast()),* }
            }

            /// Checks that every voxel is a finite number.
            ///
            /// # Errors
            /// As [`Volume::check_finite`].
            pub fn check_finite(&self) -> Result<(), NonFiniteVoxel> {
                match self { $(Self::$kind(volume) => volume.check_finite()),* }
            }
        }
    };
}

voxels!(U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32, U64 u64, I64 i64, F32 f32, F64 f64);

impl<T: Voxel> From<Volume<T>> for Image {
    fn from(volume: Volume<T>) -> Self {
        T::into_image(volume)
    }
}

/// Runs the same expression on the typed volume inside an [`Image`].
///
/// ```
/// use alnm_imaging::{with_volume, Geometry, Image, Volume};
/// let image = Image::I16(Volume::filled(Geometry::axis_aligned([2, 2, 2], [1.0; 3])?, 7));
/// let voxels = with_volume!(&image, volume => volume.data().len());
/// assert_eq!(voxels, 8);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[macro_export]
macro_rules! with_volume {
    ($image:expr, $volume:ident => $body:expr) => {
        match $image {
            $crate::Image::U8($volume) => $body,
            $crate::Image::I8($volume) => $body,
            $crate::Image::U16($volume) => $body,
            $crate::Image::I16($volume) => $body,
            $crate::Image::U32($volume) => $body,
            $crate::Image::I32($volume) => $body,
            $crate::Image::U64($volume) => $body,
            $crate::Image::I64($volume) => $body,
            $crate::Image::F32($volume) => $body,
            $crate::Image::F64($volume) => $body,
        }
    };
}

/// [`with_volume!`] for an [`ImageRef`].
macro_rules! with_volume_ref {
    ($image:expr, $volume:ident => $body:expr) => {
        match $image {
            $crate::volume::ImageRef::U8($volume) => $body,
            $crate::volume::ImageRef::I8($volume) => $body,
            $crate::volume::ImageRef::U16($volume) => $body,
            $crate::volume::ImageRef::I16($volume) => $body,
            $crate::volume::ImageRef::U32($volume) => $body,
            $crate::volume::ImageRef::I32($volume) => $body,
            $crate::volume::ImageRef::U64($volume) => $body,
            $crate::volume::ImageRef::I64($volume) => $body,
            $crate::volume::ImageRef::F32($volume) => $body,
            $crate::volume::ImageRef::F64($volume) => $body,
        }
    };
}

pub(crate) use with_volume_ref;

/// Voxels as doubles, whatever their type.
pub(crate) trait Rows: Sync {
    /// Appends the voxels of a range of positions in raster order.
    fn append(&self, positions: Range<usize>, values: &mut Vec<f64>);
}

impl<T: Voxel> Rows for Volume<T> {
    fn append(&self, positions: Range<usize>, values: &mut Vec<f64>) {
        values.extend(self.as_slice()[positions].iter().map(|voxel| voxel.to_f64()));
    }
}

/// A mask: every voxel holds the number of the structure it belongs to, 0 for none. A region of interest is a label map
/// and a label.
pub type LabelMap = Volume<u32>;

/// Voxels in (z, y, x) order, x fastest, with the grid they lie on.
///
/// ```
/// use alnm_imaging::{Geometry, Volume};
/// use ndarray::Array3;
///
/// let grid = Geometry::axis_aligned([4, 3, 2], [0.7, 0.7, 3.0])?;
/// let volume = Volume::new(Array3::from_shape_fn(grid.shape(), |(z, y, x)| 100 * z + 10 * y + x), grid)?;
/// assert_eq!(volume.data()[[1, 2, 3]], 123);
/// assert_eq!(volume.as_slice()[..5], [0, 1, 2, 3, 10]);
/// # Ok::<(), alnm_imaging::ImagingError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Volume<T> {
    data: Array3<T>,
    geometry: Geometry,
}

impl<T> Volume<T> {
    /// Voxels (z, y, x) on a grid. The array is brought into standard layout where it is not.
    ///
    /// # Errors
    /// [`ImagingError::ShapeMismatch`] when the array's shape is not the grid's.
    pub fn new(data: Array3<T>, geometry: Geometry) -> Result<Self>
    where
        T: Clone,
    {
        let array: [usize; 3] = data.dim().into();
        if array != geometry.shape() {
            return Err(ImagingError::ShapeMismatch { array, geometry: geometry.shape() });
        }
        let data = if data.is_standard_layout() { data } else { data.as_standard_layout().into_owned() };
        Ok(Self { data, geometry })
    }

    /// A grid on which every voxel holds `value`.
    pub fn filled(geometry: Geometry, value: T) -> Self
    where
        T: Clone,
    {
        let data = Array3::from_elem(geometry.shape(), value);
        data.as_slice().map(prefer_large_pages);
        Self { data, geometry }
    }

    /// The voxels, (z, y, x), in standard layout.
    #[must_use]
    pub fn data(&self) -> &Array3<T> {
        &self.data
    }

    /// The voxels in raster order, x fastest.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        self.data.as_slice().expect("a volume is kept in standard layout")
    }

    /// The voxels in raster order, x fastest, to write to.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.data.as_slice_mut().expect("a volume is kept in standard layout")
    }

    /// The voxels without their grid.
    #[must_use]
    pub fn into_data(self) -> Array3<T> {
        self.data
    }

    /// The grid.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// A volume on the same grid with every voxel mapped.
    pub fn map<U>(&self, function: impl FnMut(&T) -> U) -> Volume<U> {
        Volume { data: self.data.map(function), geometry: self.geometry.clone() }
    }
}

impl<T: Voxel> Volume<T> {
    /// The voxels converted as [`Voxel::from_f64`] does.
    #[must_use]
    pub fn cast<U: Voxel>(&self) -> Volume<U> {
        self.map(|&value| U::from_f64(value.to_f64()))
    }

    /// Checks that every voxel is a finite number.
    ///
    /// # Errors
    /// [`NonFiniteVoxel`] with the first voxel in raster order that is infinite or not a number.
    ///
    /// ```
    /// use alnm_imaging::{Geometry, Volume};
    /// let volume = Volume::new(ndarray::array![[[1.0, f64::NAN]]], Geometry::axis_aligned([2, 1, 1], [1.0; 3])?)?;
    /// let error = volume.check_finite().unwrap_err();
    /// assert_eq!(error.to_string(), "the voxel [1, 0, 0] (x, y, z) is NaN; every voxel must be finite");
    /// # Ok::<(), alnm_imaging::ImagingError>(())
    /// ```
    pub fn check_finite(&self) -> Result<(), NonFiniteVoxel> {
        let found = match T::image_ref(self) {
            ImageRef::F32(volume) => first_not_finite(volume.as_slice()),
            ImageRef::F64(volume) => first_not_finite(volume.as_slice()),
            _ => None,
        };
        match found {
            None => Ok(()),
            Some((position, value)) => Err(NonFiniteVoxel { index: self.geometry.index_of(position), value }),
        }
    }
}

/// Position and value of the first voxel that is not finite.
fn first_not_finite<T: Voxel>(voxels: &[T]) -> Option<(usize, f64)> {
    const CHUNK: usize = 1 << 14;
    let is_bad = |voxel: &T| !voxel.to_f64().is_finite();
    // All voxels of a chunk are looked at without a branch; only a chunk with a bad one is searched.
    let bad_in = |(chunk, voxels): (usize, &[T])| {
        let any = voxels.iter().fold(false, |any, voxel| any | is_bad(voxel));
        if any { voxels.iter().position(is_bad).map(|position| chunk * CHUNK + position) } else { None }
    };
    let position = voxels.par_chunks(CHUNK).enumerate().find_map_first(bad_in)?;
    Some((position, voxels[position].to_f64()))
}

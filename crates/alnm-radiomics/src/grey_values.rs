//! Grey values, in single precision where that holds them exactly: half of the memory, and of the way to it.

use std::borrow::Cow;
use std::ops::Range;

use alnm_imaging::region::VoxelBox;
use alnm_imaging::{Image, Volume, Voxel};

use crate::filter::box_values;

/// Grey values of voxels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum GreyValues {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

/// Evaluates an expression with the numbers of [`GreyValues`], of either precision.
macro_rules! with_values {
    ($of:expr, $values:ident => $value:expr) => {
        match $of {
            $crate::grey_values::GreyValues::Single($values) => $value,
            $crate::grey_values::GreyValues::Double($values) => $value,
        }
    };
}
pub(crate) use with_values;

impl GreyValues {
    /// The voxels of an image in a box, in raster order.
    pub(crate) fn of_box(image: &Image, part: VoxelBox) -> Self {
        match image {
            Image::U8(volume) => single(volume, part, f32::from),
            Image::I8(volume) => single(volume, part, f32::from),
            Image::U16(volume) => single(volume, part, f32::from),
            Image::I16(volume) => single(volume, part, f32::from),
            Image::F32(volume) => single(volume, part, |voxel| voxel),
            _ => Self::Double(box_values(image, part)),
        }
    }

    /// Leaves the values of the voxels of `runs`, in their order.
    pub(crate) fn keep_runs(&mut self, runs: &[Range<usize>]) {
        with_values!(self, values => keep_runs(values, runs));
    }

    /// In double precision.
    pub(crate) fn doubles(&self) -> Cow<'_, [f64]> {
        match self {
            Self::Single(values) => Cow::Owned(values.iter().copied().map(f64::from).collect()),
            Self::Double(values) => Cow::Borrowed(values),
        }
    }

    /// In double precision.
    pub(crate) fn into_doubles(self) -> Vec<f64> {
        match self {
            Self::Single(_) => self.doubles().into_owned(),
            Self::Double(values) => values,
        }
    }
}

impl From<Vec<f32>> for GreyValues {
    fn from(values: Vec<f32>) -> Self {
        Self::Single(values)
    }
}

impl From<Vec<f64>> for GreyValues {
    fn from(values: Vec<f64>) -> Self {
        Self::Double(values)
    }
}

fn single<T: Voxel>(volume: &Volume<T>, part: VoxelBox, value: impl Fn(T) -> f32) -> GreyValues {
    GreyValues::Single(part.cut_slice(volume.as_slice(), volume.geometry().shape(), value))
}

fn keep_runs<T: Copy>(values: &mut Vec<T>, runs: &[Range<usize>]) {
    let mut kept = 0;
    for run in runs {
        values.copy_within(run.clone(), kept);
        kept += run.len();
    }
    values.truncate(kept);
    values.shrink_to_fit();
}

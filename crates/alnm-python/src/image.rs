//! Images between Python and the crates.
//!
//! In Python an image is any object with the attributes `array` (a NumPy array in the order z, y, x), `spacing` and
//! `origin` (both in the order x, y, z) and `direction` (the rows of the matrix one after the other).

use alnm_imaging::{Geometry, Image, LabelMap, MAX_VOXEL_BYTES, Volume, Voxel, with_volume};
use ndarray::{Array3, ArrayViewD, Axis};
use numpy::{Element, IntoPyArray, PyArrayDyn, PyArrayMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyMemoryError, PyTypeError};
use pyo3::prelude::*;

use crate::error::exception;

/// An image as an argument.
pub(crate) struct ImageArgument(pub(crate) Image);

/// A mask as an argument.
pub(crate) struct MaskArgument(pub(crate) LabelMap);

/// The grid of an image as an argument.
pub(crate) struct GridArgument(pub(crate) Geometry);

impl<'py> FromPyObject<'_, 'py> for ImageArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        image(&object).map(Self)
    }
}

impl<'py> FromPyObject<'_, 'py> for MaskArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        label_map(&object).map(Self)
    }
}

impl<'py> FromPyObject<'_, 'py> for GridArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let shape: Vec<usize> = object.getattr("array")?.getattr("shape")?.extract()?;
        geometry(&object, &shape).map(Self)
    }
}

fn image(object: &Bound<'_, PyAny>) -> PyResult<Image> {
    let array = object.getattr("array")?;
    let untyped = array.cast::<PyUntypedArray>()?;
    let geometry = geometry(object, untyped.shape())?;
    macro_rules! of_type {
        ($($voxel:ty),*) => {
            $(if let Ok(array) = array.cast::<PyArrayDyn<$voxel>>() {
                return volume(array.try_readonly()?.as_array(), geometry, |voxel| voxel).map(Image::from);
            })*
        };
    }
    of_type!(i16, u8, u16, f32, f64, i32, u32, i8, i64, u64);
    if let Ok(array) = array.cast::<PyArrayDyn<bool>>() {
        return volume(array.try_readonly()?.as_array(), geometry, u8::from).map(Image::from);
    }
    Err(PyTypeError::new_err(format!(
        "the voxels are of the type {}; they must be bool, an integer of 8 to 64 bits, float32 or float64",
        untyped.dtype()
    )))
}

/// A mask. Labels of the usual types are converted in one copy: with an image as an intermediate result, a call would
/// use half as much memory again, and requesting this memory takes longer than filling it.
fn label_map(object: &Bound<'_, PyAny>) -> PyResult<LabelMap> {
    let array = object.getattr("array")?;
    macro_rules! of_type {
        ($($label:ty),*) => {
            $(if let Ok(array) = array.cast::<PyArrayDyn<$label>>() {
                let geometry = geometry(object, array.shape())?;
                return volume(array.try_readonly()?.as_array(), geometry, u32::from);
            })*
        };
    }
    of_type!(u8, u32, bool, u16);
    image(object)?.label_map().map_err(exception)
}

/// A volume with a copy of an array, whatever its strides, with each element converted.
fn volume<T: Copy, V: Copy>(
    array: ArrayViewD<'_, T>,
    geometry: Geometry,
    convert: impl Fn(T) -> V,
) -> PyResult<Volume<V>> {
    // A view with strides of 0 may have a shape that is larger than any memory.
    if array.len() as u64 > MAX_VOXEL_BYTES / size_of::<V>() as u64 {
        return Err(exception(format_args!(
            "the array has {} voxels of {} bytes; an image has at most {} GiB",
            array.len(),
            size_of::<V>(),
            MAX_VOXEL_BYTES >> 30
        )));
    }
    let mut voxels = Vec::new();
    voxels.try_reserve_exact(array.len()).map_err(|error| PyMemoryError::new_err(error.to_string()))?;
    match array.as_slice() {
        Some(slice) => voxels.extend(slice.iter().map(|&element| convert(element))),
        None => voxels.extend(array.iter().map(|&element| convert(element))),
    }
    let array = Array3::from_shape_vec(geometry.shape(), voxels).map_err(exception)?;
    Volume::new(array, geometry).map_err(exception)
}

/// The grid of an object with an array of this shape.
fn geometry(object: &Bound<'_, PyAny>, shape: &[usize]) -> PyResult<Geometry> {
    let numbers = |name: &str, count: usize| -> PyResult<Vec<f64>> {
        let values: Vec<f64> = object.getattr(name)?.extract()?;
        if values.len() == count {
            return Ok(values);
        }
        Err(exception(format_args!(
            "{name} has {} numbers; an image of {} axes needs {count}",
            values.len(),
            shape.len()
        )))
    };
    match *shape {
        [height, width] => {
            let (spacing, origin, direction) =
                (numbers("spacing", 2)?, numbers("origin", 2)?, numbers("direction", 4)?);
            Geometry::planar(
                [width, height],
                [spacing[0], spacing[1]],
                [origin[0], origin[1]],
                [[direction[0], direction[1]], [direction[2], direction[3]]],
            )
        }
        [depth, height, width] => {
            let (spacing, origin, direction) =
                (numbers("spacing", 3)?, numbers("origin", 3)?, numbers("direction", 9)?);
            Geometry::new(
                [width, height, depth],
                [spacing[0], spacing[1], spacing[2]],
                [origin[0], origin[1], origin[2]],
                std::array::from_fn(|row| std::array::from_fn(|column| direction[3 * row + column])),
            )
        }
        _ => {
            return Err(exception(format_args!(
                "the array has {} axes; an image has 2 (y, x) or 3 (z, y, x), so choose one volume of a series",
                shape.len()
            )));
        }
    }
    .map_err(exception)
}

/// An image for Python: (array, spacing, origin, direction).
pub(crate) fn to_python(py: Python<'_>, image: Image) -> PyResult<Py<PyAny>> {
    with_volume!(image, volume => volume_to_python(py, volume))
}

/// A volume for Python: (array, spacing, origin, direction).
pub(crate) fn volume_to_python<T: Voxel + Element>(py: Python<'_>, volume: Volume<T>) -> PyResult<Py<PyAny>> {
    let grid = grid_to_python(volume.geometry());
    let planar = volume.geometry().dimension() == 2;
    let data = volume.into_data();
    let array = if planar {
        data.index_axis_move(Axis(0), 0).into_pyarray(py).into_any()
    } else {
        data.into_pyarray(py).into_any()
    };
    (array, grid.spacing, grid.origin, grid.direction).into_py_any(py)
}

/// A grid in the order of Python's objects.
pub(crate) struct PythonGrid {
    pub(crate) size: Vec<usize>,
    pub(crate) spacing: Vec<f64>,
    pub(crate) origin: Vec<f64>,
    pub(crate) direction: Vec<f64>,
}

pub(crate) fn grid_to_python(geometry: &Geometry) -> PythonGrid {
    let axes = geometry.dimension();
    PythonGrid {
        size: geometry.size()[..axes].to_vec(),
        spacing: geometry.spacing()[..axes].to_vec(),
        origin: geometry.origin()[..axes].to_vec(),
        direction: geometry.direction()[..axes].iter().flat_map(|row| row[..axes].to_vec()).collect(),
    }
}

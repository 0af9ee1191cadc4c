//! Tables and columns through Arrow's PyCapsule interface, which needs no library of the program that made them.
// The interface passes a C structure by a pointer.
#![allow(unsafe_code)]

use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::{ArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayReader, ArrayRef};
use arrow_schema::DataType;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};

use crate::error::exception;

/// The numbers of a stream of Arrow arrays as pairs of a name and an array: for a table one pair per column, for other
/// arrays one pair. Booleans become 0 and 1, and missing values NaN.
#[pyfunction]
pub(crate) fn arrow_columns<'py>(
    py: Python<'py>,
    stream: &Bound<'py, PyCapsule>,
) -> PyResult<Vec<(String, Bound<'py, PyArray1<f64>>)>> {
    let pointer = stream.pointer_checked(Some(c"arrow_array_stream"))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name holds an initialised stream. It is moved out, and the one that stays behind is
    // marked as released, so that the destructor of the capsule does not release it a second time.
    let mut reader = unsafe { ArrayStreamReader::from_raw(pointer.as_ptr()) }.map_err(exception)?;
    let field = reader.field().clone();
    let mut columns: Vec<(String, Vec<f64>)> = match field.data_type() {
        DataType::Struct(fields) => fields.iter().map(|field| (field.name().clone(), Vec::new())).collect(),
        _ => vec![(field.name().clone(), Vec::new())],
    };
    for array in &mut reader {
        let array = array.map_err(exception)?;
        for ((name, column), part) in columns.iter_mut().zip(parts(&array)?) {
            append(column, &part).map_err(|kind| {
                exception(format_args!("the column {name} is of Arrow's type {kind}; columns are numbers or booleans"))
            })?;
        }
    }
    Ok(columns.into_iter().map(|(name, column)| (name, column.into_pyarray(py))).collect())
}

/// The columns of an array.
fn parts(array: &ArrayRef) -> PyResult<Vec<ArrayRef>> {
    let Some(rows) = array.as_struct_opt() else { return Ok(vec![array.clone()]) };
    if rows.null_count() > 0 {
        return Err(exception(format_args!(
            "{} rows of the table are missing as a whole; rows may lack values only",
            rows.null_count()
        )));
    }
    Ok(rows.columns().to_vec())
}

/// Appends the numbers of an array, or says what it is instead.
fn append(column: &mut Vec<f64>, array: &dyn Array) -> Result<(), DataType> {
    macro_rules! primitive {
        ($kind:ty, $convert:expr) => {
            column.extend(array.as_primitive::<$kind>().iter().map(|value| value.map_or(f64::NAN, $convert)))
        };
    }
    match array.data_type() {
        DataType::Float64 => primitive!(Float64Type, |value| value),
        DataType::Float32 => primitive!(Float32Type, f64::from),
        DataType::Float16 => primitive!(Float16Type, f64::from),
        DataType::Int8 => primitive!(Int8Type, f64::from),
        DataType::Int16 => primitive!(Int16Type, f64::from),
        DataType::Int32 => primitive!(Int32Type, f64::from),
        DataType::Int64 => primitive!(Int64Type, |value| value as f64),
        DataType::UInt8 => primitive!(UInt8Type, f64::from),
        DataType::UInt16 => primitive!(UInt16Type, f64::from),
        DataType::UInt32 => primitive!(UInt32Type, f64::from),
        DataType::UInt64 => primitive!(UInt64Type, |value| value as f64),
        DataType::Boolean => {
            let values = array.as_boolean().iter();
            column.extend(values.map(|value| value.map_or(f64::NAN, |value| f64::from(u8::from(value)))));
        }
        DataType::Null => column.extend(std::iter::repeat_n(f64::NAN, array.len())),
        other => return Err(other.clone()),
    }
    Ok(())
}

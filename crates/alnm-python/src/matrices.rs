//! Texture matrices as arrays. Grey levels are a NumPy array of `uint32` in the order (z, y, x), 0 outside the region.

use alnm_radiomics::gldm::GldmSettings;
use alnm_radiomics::{LevelMap, SizeMatrix, glcm, gldm, glrlm, glszm, ngtdm};
use ndarray::{Array2, Array3};
use numpy::{IntoPyArray, PyArray2, PyReadonlyArray3};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::error::exception;

fn level_map(levels: &PyReadonlyArray3<'_, u32>, distances: &[u32]) -> PyResult<LevelMap> {
    let reach = distances.iter().copied().max().unwrap_or(1) as usize;
    LevelMap::new(levels.as_array(), reach).map_err(exception)
}

/// The pairs of grey levels of neighbours: (levels that occur, directions, counts [direction, level, level]).
#[pyfunction]
pub(crate) fn pairs(
    py: Python<'_>,
    levels: PyReadonlyArray3<'_, u32>,
    distances: Vec<u32>,
    fixed_axis: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let map = level_map(&levels, &distances)?;
    let directions = map.directions(&distances, fixed_axis).map_err(exception)?;
    let count = map.gray_levels().len();
    let counts: Vec<u32> = directions.iter().flat_map(|&offset| glcm::pair_counts(&map, offset)).collect();
    let counts = Array3::from_shape_vec((directions.len(), count, count), counts).map_err(exception)?;
    (map.gray_levels().to_vec(), directions, counts.into_pyarray(py)).into_py_any(py)
}

/// The runs of equal grey levels: (levels that occur, directions, counts [direction, level, length - 1]).
#[pyfunction]
pub(crate) fn runs(
    py: Python<'_>,
    levels: PyReadonlyArray3<'_, u32>,
    fixed_axis: Option<usize>,
) -> PyResult<Py<PyAny>> {
    let map = level_map(&levels, &[1])?;
    let directions = map.directions(&[1], fixed_axis).map_err(exception)?;
    let (count, longest) = (map.gray_levels().len(), levels.as_array().shape().iter().copied().max().unwrap_or(1));
    let counts: Vec<u32> = directions.iter().flat_map(|&offset| glrlm::run_counts(&map, offset)).collect();
    let counts = Array3::from_shape_vec((directions.len(), count, longest), counts).map_err(exception)?;
    (map.gray_levels().to_vec(), directions, counts.into_pyarray(py)).into_py_any(py)
}

/// The cells of a matrix of levels and sizes: rows of (level, size, count).
fn cells<'py>(py: Python<'py>, matrix: &SizeMatrix) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let cells: Vec<f64> = matrix.cells().iter().flat_map(|cell| [cell.level, cell.size, cell.count]).collect();
    let cells = Array2::from_shape_vec((matrix.cells().len(), 3), cells).map_err(exception)?;
    Ok(cells.into_pyarray(py))
}

/// The zones of equal grey levels: rows of (level, size of the zones in voxels, number of zones).
#[pyfunction]
pub(crate) fn zones<'py>(
    py: Python<'py>,
    levels: PyReadonlyArray3<'py, u32>,
    fixed_axis: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let map = level_map(&levels, &[1])?;
    cells(py, &glszm::matrix(&map, fixed_axis).map_err(exception)?)
}

/// The dependences of voxels on their neighbours: rows of (level, number of dependent neighbours + 1, number of
/// voxels).
#[pyfunction]
pub(crate) fn dependences<'py>(
    py: Python<'py>,
    levels: PyReadonlyArray3<'py, u32>,
    distances: Vec<u32>,
    fixed_axis: Option<usize>,
    alpha: u32,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let map = level_map(&levels, &distances)?;
    let settings = GldmSettings::default().with_distances(distances).with_fixed_axis(fixed_axis).with_alpha(alpha);
    cells(py, &gldm::matrix(&map, &settings).map_err(exception)?)
}

/// The differences of grey levels from the means of their neighbours: rows of (level, number of voxels, sum of
/// differences).
#[pyfunction]
pub(crate) fn neighbour_differences<'py>(
    py: Python<'py>,
    levels: PyReadonlyArray3<'py, u32>,
    distances: Vec<u32>,
    fixed_axis: Option<usize>,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let map = level_map(&levels, &distances)?;
    let matrix = ngtdm::matrix(&map, &distances, fixed_axis).map_err(exception)?;
    let rows: Vec<f64> = matrix.rows().iter().flat_map(|row| [row.level, row.voxels, row.difference]).collect();
    let rows = Array2::from_shape_vec((matrix.rows().len(), 3), rows).map_err(exception)?;
    Ok(rows.into_pyarray(py))
}

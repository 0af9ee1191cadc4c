//! Bytes read as a structure set and as a segmentation, drawn on a small grid.
#![no_main]

use alnm_imaging::Geometry;
use alnm_imaging::dicom::{Segmentation, StructureSet};
use alnm_imaging::mask::MaskParams;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let grid = Geometry::axis_aligned([16, 12, 4], [1.0, 1.0, 2.0]).expect("a possible grid");
    let on_grid = MaskParams::default().with_grid(grid).check().expect("possible parameters");
    if let Ok(set) = StructureSet::from_bytes(bytes) {
        let _ = set.mask(&on_grid);
    }
    if let Ok(file) = Segmentation::from_bytes(bytes) {
        let _ = file.mask(&on_grid);
    }
});

//! DICOM files of every kind, made element by element.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod builder;
mod codec;
mod damage;
mod jpeg;
mod masks;
mod objects;
mod phases;
mod pixels;
mod tolerance;
mod volumes;

use alnm_imaging::Geometry;

/// A grid oblique to all axes of the patient.
fn oblique(size: [usize; 3]) -> Geometry {
    let (s, c) = 0.4_f64.sin_cos();
    Geometry::new(
        size,
        [0.7, 1.3, 2.1],
        [-12.25, 4.5, 99.0],
        [[c, -s * 0.6, s * 0.8], [s, c * 0.6, -c * 0.8], [0.0, 0.8, 0.6]],
    )
    .unwrap()
}

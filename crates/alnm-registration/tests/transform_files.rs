//! A transform that SimpleITK 2.5.7 wrote (`golden/read_by_simpleitk.py`) takes points where SimpleITK takes them.

// A test that cannot read its files must end.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use alnm_registration::{SpatialTransform, read_transform};

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[test]
fn points_go_where_simpleitk_takes_them() {
    let transform = read_transform(golden("simpleitk.tfm")).unwrap();
    let again: SpatialTransform = transform.to_itk_text().parse().unwrap();
    assert_eq!(again, transform);
    let table = std::fs::read_to_string(golden("points.csv")).unwrap();
    let mut moved_by_spline = 0;
    for line in table.lines().skip(1) {
        let numbers: Vec<f64> = line.split(',').map(|word| word.parse().unwrap()).collect();
        let [x, y, z, tx, ty, tz] = numbers.as_slice() else { panic!("{line}") };
        let found = transform.apply([*x, *y, *z]);
        for (found, expected) in found.iter().zip([tx, ty, tz]) {
            assert!((found - expected).abs() < 1e-11, "{line}: {found}");
        }
        let spline = transform.parts().last().unwrap();
        moved_by_spline += usize::from(spline.apply([*x, *y, *z]) != [*x, *y, *z]);
    }
    // Points inside and outside the region of the spline are among them.
    assert!((5..=35).contains(&moved_by_spline), "{moved_by_spline}");
}

#[test]
fn a_missing_file_is_named() {
    let error = read_transform("missing.tfm").unwrap_err();
    assert!(error.to_string().starts_with("missing.tfm: "), "{error}");
}

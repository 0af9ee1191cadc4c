//! DICOM series against the same images as NIfTI.

use std::path::PathBuf;

use alnm_imaging::dicom::read_series;
use alnm_imaging::read_image;

use crate::pack::{ImagingPack, section};

/// The folders of the pack's DICOM part, each a case.
pub(crate) fn folders(pack: &ImagingPack) -> Vec<PathBuf> {
    pack.pack.folders("dicom").into_iter().map(|folder| pack.pack.path(folder)).collect()
}

#[test]
fn series() {
    let Some(pack) = ImagingPack::open() else { return };
    let mut voxels = section("DICOM voxels");
    let mut geometry = section("DICOM geometry");
    for folder in folders(&pack) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let ours = read_series(folder.join("image")).unwrap();
        let expected = read_image(folder.join("image.nii.gz")).unwrap();
        // NIfTI holds the geometry in single precision.
        let difference = ours.geometry().difference(expected.geometry(), 1e-4);
        geometry.case_of_difference(&name, f64::from(u8::from(difference.is_some())), 0.0);
        let (ours, expected) = (ours.cast::<f64>(), expected.cast::<f64>());
        let differing = ours.as_slice().iter().zip(expected.as_slice()).filter(|(a, b)| a != b).count();
        voxels.case_of_difference(name, differing as f64, 0.0);
    }
    voxels.finish();
    geometry.finish();
}

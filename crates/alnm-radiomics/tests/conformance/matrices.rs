//! Texture matrices, count by count.

use alnm_conformance::pack::Pack;
use alnm_conformance::tally::{Tally, Tolerance};
use alnm_imaging::region::bounding_box;
use alnm_radiomics::glcm::{self, GlcmSettings};
use alnm_radiomics::gldm::{self, GldmSettings};
use alnm_radiomics::parameters::Settings;
use alnm_radiomics::{LevelMap, Offset, SizeMatrix, glrlm, glszm, ngtdm};
use ndarray::Array3;
use serde_json::Value;

use crate::expected::{Case, run_with};
use crate::npz::{self, Array};

/// The discretised region as the pack has it, and ours.
struct Levels {
    map: LevelMap,
    grid: Array3<u32>,
    spacing: [f64; 3],
}

fn levels(case: &Case, settings: &Settings) -> Levels {
    let images = case.extractor.filtered_images(&case.image, &case.mask, case.label).unwrap();
    let (_, original) = images.filtered.iter().find(|(name, _)| name == "original").unwrap();
    let region = bounding_box(&images.mask, case.label).unwrap();
    let (values, mask) = (region.view(original.data()), region.view(images.mask.data()));
    let inside: Vec<f64> =
        values.iter().zip(mask).filter(|(_, voxel)| **voxel == case.label).map(|(value, _)| *value).collect();
    let single = images.image.pixel_type() == alnm_imaging::PixelType::F32;
    let mut discretised = settings.binning().discretise(&inside, single).unwrap().levels.into_iter();
    let grid = mask.map(|&voxel| if voxel == case.label { discretised.next().unwrap() } else { 0 });
    let reach = settings.distances.iter().copied().max().unwrap() as usize;
    let [sx, sy, sz] = images.image.geometry().spacing();
    Levels { map: LevelMap::new(grid.view(), reach).unwrap(), grid, spacing: [sz, sy, sx] }
}

/// Compares a raw matrix of counts by level, size and, where it has one, direction.
fn compare_sizes(
    tally: &mut Tally,
    place: &str,
    raw: &Array,
    direction: Option<usize>,
    cell: impl Fn(usize, usize) -> f64,
) {
    for level in 0..raw.shape[1] {
        for size in 0..raw.shape[2] {
            let index: Vec<usize> = [0, level, size].into_iter().chain(direction).collect();
            tally.value(place, raw.at(&index), cell(level + 1, size + 1), Tolerance::EXACT);
        }
    }
}

fn count_of(matrix: &SizeMatrix, level: usize, size: usize) -> f64 {
    let cell = matrix.cells().iter().find(|cell| cell.level == level as f64 && cell.size == size as f64);
    cell.map_or(0.0, |cell| cell.count)
}

/// Compares directions, in their order.
fn compare_offsets(tally: &mut Tally, place: &str, angles: &Array, offsets: &[Offset]) {
    tally.check(angles.shape[0] == offsets.len(), format_args!("{place}: {} directions", offsets.len()));
    for (row, offset) in offsets.iter().enumerate() {
        tally.check(
            (0..3).all(|axis| angles.at(&[row, axis]) == offset[axis] as f64),
            format_args!("{place}: direction {row}"),
        );
    }
}

fn check(tally: &mut Tally, pack: &Pack, name: &str, case: &Case) {
    let arrays = npz::read(&pack.bytes(format!("matrices/{name}.npz")));
    let settings = case.extractor.parameters().settings();
    let Levels { map, grid, spacing } = levels(case, settings);
    let fixed_axis = settings.force_2d.then_some(settings.force_2d_dimension);

    for (expected, got) in arrays["binned"].values.iter().zip(&grid) {
        tally.value("binned", *expected, f64::from(*got), Tolerance::EXACT);
    }
    // Where each level stands among those that occur.
    let rows: Vec<Option<usize>> =
        (0..=*map.gray_levels().last().unwrap()).map(|level| map.gray_levels().binary_search(&level).ok()).collect();

    let offsets = map.directions(&settings.distances, fixed_axis).unwrap();
    compare_offsets(tally, "raw_glcm_angles", &arrays["raw_glcm_angles"], &offsets);
    let n = map.gray_levels().len();
    for (direction, &offset) in offsets.iter().enumerate() {
        let counts = glcm::pair_counts(&map, offset);
        let raw = &arrays["raw_glcm"];
        for i in 1..=raw.shape[1] {
            for j in 1..=raw.shape[2] {
                let got = rows[i].zip(rows[j]).map_or(0, |(row, column)| counts[row * n + column]);
                tally.value("raw_glcm", raw.at(&[0, i - 1, j - 1, direction]), f64::from(got), Tolerance::EXACT);
            }
        }
    }
    let glcm_settings = GlcmSettings::default()
        .with_distances(settings.distances.clone())
        .with_fixed_axis(fixed_axis)
        .with_symmetrical(settings.symmetrical_glcm)
        .with_weighting(settings.weighting_norm)
        .with_spacing(spacing);
    let matrices = glcm::matrices(&map, &glcm_settings).unwrap();
    let expected = &arrays["P_glcm"];
    tally.check(expected.shape[3] == matrices.len(), format_args!("P_glcm: {} directions", matrices.len()));
    for (direction, matrix) in matrices.iter().enumerate() {
        for (cell, &got) in matrix.probabilities().iter().enumerate() {
            tally.value("P_glcm", expected.at(&[0, cell / n, cell % n, direction]), got, Tolerance::relative(1e-14));
        }
    }

    let offsets = map.directions(&[1], fixed_axis).unwrap();
    compare_offsets(tally, "raw_glrlm_angles", &arrays["raw_glrlm_angles"], &offsets);
    for (direction, &offset) in offsets.iter().enumerate() {
        let counts = glrlm::run_counts(&map, offset);
        let longest = counts.len() / n;
        let cell =
            |level: usize, length: usize| rows[level].map_or(0.0, |row| f64::from(counts[row * longest + length - 1]));
        compare_sizes(tally, "raw_glrlm", &arrays["raw_glrlm"], Some(direction), cell);
    }
    let zones = glszm::matrix(&map, fixed_axis).unwrap();
    compare_sizes(tally, "raw_glszm", &arrays["raw_glszm"], None, |level, size| count_of(&zones, level, size));
    let gldm_settings = GldmSettings::default()
        .with_distances(settings.distances.clone())
        .with_fixed_axis(fixed_axis)
        .with_alpha(settings.gldm_a);
    let dependences = gldm::matrix(&map, &gldm_settings).unwrap();
    compare_sizes(tally, "raw_gldm", &arrays["raw_gldm"], None, |level, size| count_of(&dependences, level, size));
    let tones = ngtdm::matrix(&map, &settings.distances, fixed_axis).unwrap();
    let raw = &arrays["raw_ngtdm"];
    for level in 1..=raw.shape[1] {
        let (voxels, difference) =
            rows[level].map_or((0.0, 0.0), |row| (tones.rows()[row].voxels, tones.rows()[row].difference));
        tally.value("raw_ngtdm", raw.at(&[0, level - 1, 0]), voxels, Tolerance::EXACT);
        tally.value("raw_ngtdm", raw.at(&[0, level - 1, 1]), difference, Tolerance::relative(1e-12));
    }
}

#[test]
fn matrices_agree_with_pyradiomics() {
    let Some(pack) = Pack::open("radiomics") else { return };
    let mut tally = Tally::new("matrices");
    for (name, entry) in pack.json::<Value>("matrices/index.json").as_object().unwrap() {
        tally.case(name);
        let run = run_with(&pack, entry["case"].as_str().unwrap(), &entry["params"]);
        check(&mut tally, &pack, name, &Case::read(&pack, "", &run).unwrap());
    }
    tally.finish();
}

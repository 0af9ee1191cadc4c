//! The digital phantom of the reference manual, and what features must and must not depend on.

// The phantom is part of the test.
#![allow(clippy::unwrap_used)]

use alnm_imaging::{Geometry, LabelMap, Volume};
use alnm_radiomics::ibsi::filter::{BoundaryCondition, Dimensions, Filter, Kernel, LawsKernel, Pooling};
use alnm_radiomics::ibsi::{
    Aggregation, FeatureMapSettings, IbsiDefinition, IbsiDiscretisation, IbsiFamily, IbsiProfile,
    ReferenceConfiguration, Resegmentation,
};
use alnm_radiomics::parameters::Settings;
use alnm_radiomics::{
    Compliance, DiagnosticValue, Extraction, Extractor, FeatureClass, FeatureId, FeatureMap, FeatureValue, Image,
    Parameters, RadiomicsError, Warning,
};
use ndarray::{Array3, Axis};
use proptest::prelude::*;

/// Intensities of the digital phantom, slice by slice, in rows of x. IBSI reference manual, arXiv 1612.07003, section
/// "Digital phantom"; the phantom is by Alex Zwanenburg, CC BY 4.0.
const PHANTOM: [[[u8; 5]; 4]; 4] = [
    [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
    [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [1, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
    [[1, 4, 4, 1, 1], [1, 1, 1, 1, 1], [1, 1, 9, 1, 1], [1, 1, 6, 1, 1]],
    [[1, 4, 4, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
];

/// Its voxels outside of the region, (z, y, x).
const OUTSIDE: [[usize; 3]; 6] = [[1, 2, 0], [2, 0, 3], [2, 0, 4], [2, 2, 2], [3, 0, 3], [3, 0, 4]];

/// Values of the reference manual for the phantom, with their tolerances.
const REFERENCE: [(&str, f64, f64); 48] = [
    ("morph_volume", 556.0, 4.0),
    ("morph_vol_approx", 592.0, 4.0),
    ("morph_area_mesh", 388.0, 3.0),
    ("morph_sphericity", 0.843, 0.005),
    ("morph_com", 0.672, 0.004),
    ("morph_diam", 13.1, 0.1),
    ("morph_pca_least_axis", 8.54, 0.05),
    ("morph_area_dens_aabb", 0.866, 0.005),
    ("morph_vol_dens_aee", 1.17, 0.01),
    ("morph_area_dens_aee", 1.36, 0.01),
    ("morph_vol_dens_conv_hull", 0.961, 0.006),
    ("morph_area_dens_conv_hull", 1.03, 0.01),
    ("morph_integ_int", 1200.0, 10.0),
    ("morph_moran_i", 0.0397, 0.0003),
    ("morph_geary_c", 0.974, 0.006),
    ("loc_peak_loc", 2.6, 0.0),
    ("loc_peak_glob", 3.1, 0.0),
    ("stat_var", 3.05, 0.0),
    ("stat_kurt", -0.355, 0.0),
    ("stat_rmad", 1.11, 0.0),
    ("ih_entropy", 1.27, 0.0),
    ("ih_max_grad", 8.0, 0.0),
    ("ih_min_grad_g", 1.0, 0.0),
    ("ivh_v10", 0.324, 0.0),
    ("ivh_i10", 5.0, 0.0),
    ("cm_joint_entr_2D_avg", 2.05, 0.0),
    ("cm_inv_diff_norm_2D_avg", 0.851, 0.0),
    ("cm_corr_2D_avg", -0.0121, 0.0),
    ("cm_info_corr1_2D_avg", -0.155, 0.0),
    ("cm_contrast_2D_comb", 5.19, 0.0),
    ("cm_contrast_2_5D_avg", 5.39, 0.0),
    ("cm_contrast_2_5D_comb", 5.29, 0.0),
    ("cm_contrast_3D_avg", 5.32, 0.0),
    ("cm_contrast_3D_comb", 5.12, 0.0),
    ("rlm_r_perc_2D_avg", 0.627, 0.0),
    ("rlm_r_perc_2_5D_comb", 0.632, 0.0),
    ("rlm_r_perc_3D_avg", 0.68, 0.0),
    ("szm_z_perc_2D", 0.24, 0.0),
    ("szm_z_perc_2_5D", 0.243, 0.0),
    ("szm_z_perc_3D", 0.0676, 0.0),
    ("dzm_zd_var_2D", 0.051, 0.0),
    ("dzm_z_perc_3D", 0.0676, 0.0),
    ("ngt_coarseness_2D", 0.121, 0.0),
    ("ngt_coarseness_2_5D", 0.0285, 0.0),
    ("ngt_coarseness_3D", 0.0296, 0.0),
    ("ngl_hdhge_2_5D", 50.8, 0.0),
    ("ngl_lde_3D", 0.045, 0.0),
    ("ngl_dc_entr_3D", 4.4, 0.0),
];

fn phantom() -> (Volume<f64>, LabelMap) {
    let intensities = Array3::from_shape_fn([4, 4, 5], |(z, y, x)| f64::from(PHANTOM[z][y][x]));
    let mask = Array3::from_shape_fn([4, 4, 5], |(z, y, x)| u32::from(!OUTSIDE.contains(&[z, y, x])));
    volumes(intensities, mask, 2.0)
}

/// Image and mask on an isotropic grid.
fn volumes(intensities: Array3<f64>, mask: Array3<u32>, spacing: f64) -> (Volume<f64>, LabelMap) {
    let (z, y, x) = intensities.dim();
    let geometry = Geometry::axis_aligned([x, y, z], [spacing; 3]).unwrap();
    (Volume::new(intensities, geometry.clone()).unwrap(), Volume::new(mask, geometry).unwrap())
}

fn extract(profile: &IbsiProfile, (image, mask): &(Volume<f64>, LabelMap)) -> Extraction {
    execute(profile.clone(), image, mask, 1).unwrap()
}

fn execute(
    profile: IbsiProfile,
    image: &Volume<f64>,
    mask: &LabelMap,
    label: u32,
) -> Result<Extraction, RadiomicsError> {
    Extractor::new(profile.check()?).execute(&Image::F64(image.clone()), mask, label)
}

fn definition(feature: &FeatureValue) -> (IbsiDefinition, Option<Aggregation>) {
    match &feature.id {
        FeatureId::Ibsi { feature, aggregation } => (*feature, *aggregation),
        other => panic!("{other} is no feature of the IBSI"),
    }
}

/// Everything, at every aggregation.
fn everything(discretisation: IbsiDiscretisation) -> IbsiProfile {
    IbsiProfile::reference(ReferenceConfiguration::DigitalPhantom).with_discretisation(discretisation)
}

#[test]
fn the_phantom_has_the_values_of_the_reference_manual() {
    let extraction = extract(&IbsiProfile::reference(ReferenceConfiguration::DigitalPhantom), &phantom());
    for (column, reference, tolerance) in REFERENCE {
        let value = extraction.value(column).unwrap();
        let rounded: f64 = format!("{value:.2e}").parse().unwrap();
        assert!((rounded - reference).abs() <= tolerance + 1e-12, "{column}: {value} instead of {reference}");
    }
}

#[test]
fn every_feature_has_a_code_and_a_column_of_its_own() {
    let extraction = extract(&IbsiProfile::reference(ReferenceConfiguration::DigitalPhantom), &phantom());
    let mut columns: Vec<String> = extraction.features.iter().map(|feature| feature.id.name()).collect();
    assert_eq!(columns.len(), 29 + 2 + 18 + 23 + 7 + 6 * (25 + 16) + 3 * (16 + 16 + 5 + 17));
    columns.sort();
    columns.dedup();
    assert_eq!(columns.len(), extraction.features.len());
    let codes = extraction.features.iter().map(definition).map(|(feature, _)| (feature.code, feature.tag));
    let mut codes: Vec<(&str, &str)> = codes.collect();
    codes.sort_unstable();
    codes.dedup();
    assert!(codes.iter().all(|(code, _)| code.len() == 4));
    assert!(codes.windows(2).all(|pair| pair[0].0 != pair[1].0), "a code stands for one feature");
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let (profile, volumes) = (everything(IbsiDiscretisation::None), phantom());
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let features = pool.install(|| extract(&profile, &volumes).features);
        features.into_iter().map(|feature| (feature.id.name(), feature.value.to_bits())).collect::<Vec<_>>()
    };
    let alone = with_threads(1);
    assert_eq!(alone, with_threads(2));
    assert_eq!(alone, with_threads(8));
}

/// Features agree within what the order of sums changes; the least ellipsoid is found by approximation.
fn assert_same(left: &Extraction, right: &Extraction, is_compared: impl Fn(&str) -> bool) {
    for (a, b) in left.features.iter().zip(&right.features) {
        assert_eq!(a.id, b.id);
        let tag = definition(a).0.tag;
        let tolerance = if tag.ends_with("mvee") { 1e-5 } else { 1e-8 };
        let agrees =
            (a.value.is_nan() && b.value.is_nan()) || (a.value - b.value).abs() <= tolerance * a.value.abs().max(1.0);
        assert!(agrees || !is_compared(tag), "{}: {} and {}", a.id, a.value, b.value);
    }
}

/// Whether a feature is free of the mesh. Marching cubes triangulates ambiguous cubes by a table that is not the same
/// in every orientation.
fn is_free_of_the_mesh(tag: &str) -> bool {
    let kept = ["morph_vol_approx", "morph_com", "morph_diam", "morph_moran_i", "morph_geary_c"];
    !tag.starts_with("morph_") || tag.starts_with("morph_pca") || kept.contains(&tag)
}

/// A region of at least two voxels with whole intensities.
fn region() -> impl Strategy<Value = (Array3<f64>, Array3<u32>)> {
    let voxels = prop::collection::vec((0u32..50, prop::bool::weighted(0.6)), 3 * 4 * 5);
    let arrays = voxels.prop_map(|voxels| {
        let at = |z: usize, y: usize, x: usize| voxels[(z * 4 + y) * 5 + x];
        let image = Array3::from_shape_fn([3, 4, 5], |(z, y, x)| f64::from(at(z, y, x).0));
        (image, Array3::from_shape_fn([3, 4, 5], |(z, y, x)| u32::from(at(z, y, x).1)))
    });
    arrays.prop_filter("two voxels", |(_, mask)| mask.sum() > 1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_quarter_turn_within_slices_changes_nothing((image, mask) in region()) {
        fn turned<T: Clone>(array: &Array3<T>) -> Array3<T> {
            let mut array = array.clone().permuted_axes([0, 2, 1]);
            array.invert_axis(Axis(2));
            array.as_standard_layout().into_owned()
        }
        let profile = everything(IbsiDiscretisation::FixedBinNumber(6));
        let still = extract(&profile, &volumes(image.clone(), mask.clone(), 1.5));
        let turned = extract(&profile, &volumes(turned(&image), turned(&mask), 1.5));
        assert_same(&still, &turned, is_free_of_the_mesh);
    }

    #[test]
    fn another_order_of_the_axes_changes_nothing_in_three_dimensions((image, mask) in region()) {
        fn turned<T: Clone>(array: &Array3<T>) -> Array3<T> {
            array.clone().permuted_axes([2, 0, 1]).as_standard_layout().into_owned()
        }
        let profile = IbsiProfile::default().with_discretisation(IbsiDiscretisation::FixedBinNumber(6));
        let still = extract(&profile, &volumes(image.clone(), mask.clone(), 1.5));
        let turned = extract(&profile, &volumes(turned(&image), turned(&mask), 1.5));
        assert_same(&still, &turned, is_free_of_the_mesh);
    }

    #[test]
    fn room_around_the_region_changes_nothing_but_local_intensities((image, mask) in region()) {
        fn padded<T: Clone + Default>(array: &Array3<T>) -> Array3<T> {
            Array3::from_shape_fn([6, 7, 9], |(z, y, x)| {
                let inside = (1..4).contains(&z) && (2..6).contains(&y) && (3..8).contains(&x);
                if inside { array[[z - 1, y - 2, x - 3]].clone() } else { T::default() }
            })
        }
        let profile = everything(IbsiDiscretisation::FixedBinNumber(6));
        let tight = extract(&profile, &volumes(image.clone(), mask.clone(), 1.5));
        let wide = extract(&profile, &volumes(padded(&image), padded(&mask), 1.5));
        assert_same(&tight, &wide, |tag| !tag.starts_with("loc_"));
    }

    #[test]
    fn brightness_and_contrast_leave_a_fixed_number_of_bins_alone((image, mask) in region()) {
        let profile = everything(IbsiDiscretisation::FixedBinNumber(6));
        let plain = extract(&profile, &volumes(image.clone(), mask.clone(), 1.5));
        let brighter = extract(&profile, &volumes(image.map(|value| 4.0 * value - 64.0), mask.clone(), 1.5));
        let is_texture = |tag: &str| ["ih_", "cm_", "rlm_", "szm_", "dzm_", "ngt_", "ngl_"].iter().any(|family| tag.starts_with(family));
        assert_same(&plain, &brighter, is_texture);
    }

    #[test]
    fn filters_move_with_a_periodic_image((image, _) in region(), shift in 1usize..3) {
        fn shifted(array: &Array3<f64>, shift: usize) -> Array3<f64> {
            let (depth, height, width) = array.dim();
            Array3::from_shape_fn([depth, height, width], |(z, y, x)| {
                array[[(z + depth - shift) % depth, (y + height - shift) % height, (x + width - shift) % width]]
            })
        }
        let kernels = [
            Kernel::Mean { support: 3 },
            Kernel::LaplacianOfGaussian { sigma: 1.5, truncation: 4.0, riesz_order: None },
            Kernel::Laws { kernels: vec![LawsKernel::E5, LawsKernel::L5, LawsKernel::S5], rotation_invariance: Some(Pooling::Maximum), energy_distance: Some(1) },
            Kernel::Gabor { sigma: 1.0, gamma: 1.0, wavelength: 2.0, theta: 0.0, theta_step: Some(45.0) },
            Kernel::SeparableWavelet { wavelet: "db2".to_owned(), band: "LHL".to_owned(), level: 2, rotation_invariance: Some(Pooling::Average) },
            Kernel::Simoncelli { level: 1, riesz_order: None },
            Kernel::Simoncelli { level: 2, riesz_order: Some(vec![1, 0, 1]) },
        ];
        let mask = image.map(|_| 1);
        for kernel in kernels {
            let filter = Filter::new(Dimensions::Three, kernel).with_boundary(BoundaryCondition::Periodic);
            let still = filter.response(&volumes(image.clone(), mask.clone(), 1.5).0).unwrap();
            let moved = filter.response(&volumes(shifted(&image, shift), mask.clone(), 1.5).0).unwrap();
            for (a, b) in shifted(still.data(), shift).iter().zip(moved.data()) {
                prop_assert!((a - b).abs() < 1e-8, "{:?}: {a} {b}", filter.kernel);
            }
        }
    }
}

/// Features without a value are those that the documentation names.
fn assert_defined(extraction: &Extraction, undefined: &[&str]) {
    for feature in &extraction.features {
        let column = feature.id.name();
        assert_eq!(
            feature.value.is_finite(),
            !undefined.iter().any(|name| column.starts_with(name)),
            "{column} is {}",
            feature.value
        );
    }
}

#[test]
fn a_single_voxel_has_features() {
    let mut mask = Array3::zeros([3, 3, 3]);
    mask[[1, 1, 1]] = 1;
    let extraction = extract(
        &everything(IbsiDiscretisation::FixedBinNumber(8)),
        &volumes(Array3::from_elem([3, 3, 3], 5.0), mask, 2.0),
    );
    let without_extent = ["morph_vol_dens_aee", "morph_area_dens_aee", "morph_moran_i", "morph_geary_c", "cm_", "ngt_"];
    assert_defined(&extraction, &without_extent);
}

#[test]
fn a_flat_region_has_features() {
    let extraction = extract(
        &everything(IbsiDiscretisation::FixedBinSize(25.0)),
        &volumes(Array3::from_elem([3, 3, 3], 5.0), Array3::ones([3, 3, 3]), 2.0),
    );
    assert_defined(&extraction, &["morph_moran_i", "morph_geary_c"]);
}

#[test]
fn a_row_and_a_slice_have_features() {
    let flat_ellipsoid = ["morph_vol_dens_aee"];
    for shape in [[1, 1, 6], [1, 5, 6]] {
        let image = Array3::from_shape_fn(shape, |(_, y, x)| f64::from(((y * 7 + x * 3) % 5) as u8));
        let extraction =
            extract(&everything(IbsiDiscretisation::FixedBinNumber(4)), &volumes(image, Array3::ones(shape), 2.0));
        let row = ["morph_vol_dens_aee", "morph_area_dens_aee"];
        assert_defined(&extraction, if shape[1] == 1 { &row } else { &flat_ellipsoid });
    }
}

#[test]
fn bad_input_is_refused() {
    let (image, mask) = phantom();
    let refused = |profile: IbsiProfile, image: &Volume<f64>, mask: &LabelMap, label| {
        execute(profile, image, mask, label).unwrap_err()
    };
    let profile = IbsiProfile::default;
    assert!(matches!(refused(profile(), &image, &mask, 7), RadiomicsError::LabelAbsent { label: 7, .. }));
    let resegmentation = Resegmentation::default().with_range(100.0, None);
    assert!(matches!(
        refused(profile().with_resegmentation(resegmentation), &image, &mask, 1),
        RadiomicsError::EmptyMask { .. }
    ));
    for value in [f64::NAN, f64::INFINITY] {
        let mut image = image.clone();
        image.as_mut_slice()[17] = value;
        assert!(
            matches!(refused(profile(), &image, &mask, 1), RadiomicsError::NonFiniteVoxel(found) if found.index == [2, 3, 0])
        );
    }
    let halves = image.map(|value| value + 0.5);
    assert!(matches!(refused(profile(), &halves, &mask, 1), RadiomicsError::NotALevel { .. }));
    let elsewhere =
        Volume::new(mask.data().clone(), Geometry::axis_aligned([5, 4, 4], [2.0, 2.0, 2.5]).unwrap()).unwrap();
    assert!(matches!(refused(profile(), &image, &elsewhere, 1), RadiomicsError::GeometryMismatch(_)));
    // Families without grey levels do not need any.
    let statistics = profile().with_families([IbsiFamily::Statistics]);
    assert_eq!(extract(&statistics, &(halves, mask)).features.len(), 18);
}

#[test]
fn more_levels_than_matrices_can_have_are_refused() {
    let image = Array3::from_shape_fn([1, 70, 70], |(_, y, x)| (70 * y + x + 1) as f64);
    let (image, mask) = volumes(image, Array3::ones([1, 70, 70]), 1.0);
    let refused = execute(IbsiProfile::default(), &image, &mask, 1).unwrap_err();
    assert!(matches!(refused, RadiomicsError::TooManyLevels { limit: 4096, .. }), "{refused}");
}

#[test]
fn a_range_may_be_open() {
    let open = everything(IbsiDiscretisation::FixedBinSize(1.0))
        .with_resegmentation(Resegmentation::default().with_range(f64::NEG_INFINITY, None));
    assert_same(
        &extract(&open, &phantom()),
        &extract(&everything(IbsiDiscretisation::FixedBinSize(1.0)), &phantom()),
        |_| true,
    );
}

#[test]
fn a_two_dimensional_image_has_features() {
    let geometry = Geometry::planar([12, 9], [1.0, 1.5], [0.0; 2], [[1.0, 0.0], [0.0, 1.0]]).unwrap();
    let image = Array3::from_shape_fn([1, 9, 12], |(_, y, x)| f64::from(((y * 5 + x * 3) % 7) as u8));
    let mask = Array3::from_shape_fn([1, 9, 12], |(_, y, x)| u32::from(y > 1 && x > 2));
    let volumes = (Volume::new(image, geometry.clone()).unwrap(), Volume::new(mask, geometry).unwrap());
    let profile = IbsiProfile::from_yaml(
        "interpolation: {spacing: [1.2, 1.2, null], image: linear}\ndiscretisation: {fixed_bin_number: 5}\naggregations: [2D, 2D_avg]",
    );
    let extraction = extract(&profile.unwrap(), &volumes);
    let size = extraction.diagnostics.iter().find(|entry| entry.name == "diagnostics_IBSI-Image-interpolated_Size");
    assert_eq!(size.map(|entry| &entry.value), Some(&DiagnosticValue::Integers(vec![10, 12, 1])));
    assert_defined(&extraction, &["morph_vol_dens_aee"]);
}

#[test]
fn families_and_aggregations_are_what_was_asked_for() {
    let profile = IbsiProfile::default()
        .with_families([IbsiFamily::Ngtdm, IbsiFamily::Glcm])
        .with_aggregations([Aggregation::MergedSlices, Aggregation::VolumeAveraged]);
    let extraction = extract(&profile, &phantom());
    let found: Vec<(IbsiFamily, Option<Aggregation>)> =
        extraction.features.iter().map(definition).map(|(feature, method)| (feature.family, method)).collect();
    assert_eq!(found.len(), 5 + 25);
    assert!(found[..5].iter().all(|id| *id == (IbsiFamily::Ngtdm, Some(Aggregation::MergedSlices))));
    assert!(found[5..].iter().all(|id| *id == (IbsiFamily::Glcm, Some(Aggregation::VolumeAveraged))));
}

#[test]
fn columns_are_known_before_an_image_is() {
    for profile in [
        everything(IbsiDiscretisation::None),
        IbsiProfile::default()
            .with_families([IbsiFamily::Ngldm, IbsiFamily::Statistics, IbsiFamily::Glrlm])
            .with_aggregations([Aggregation::VolumeMergedDirections, Aggregation::Slices]),
    ] {
        let extractor = Extractor::new(profile.check().unwrap());
        let (image, mask) = phantom();
        let extraction = extractor.execute(&Image::F64(image), &mask, 1).unwrap();
        let names: Vec<String> = extraction.features.iter().map(|feature| feature.id.name()).collect();
        assert_eq!(names, extractor.feature_columns(3));
        let diagnostics: Vec<&String> = extraction.diagnostics.iter().map(|entry| &entry.name).collect();
        assert_eq!(diagnostics, extractor.diagnostic_columns().iter().collect::<Vec<_>>());
    }
}

#[test]
fn both_profiles_in_one_call_are_each_alone() {
    let (image, mask) = phantom();
    let image = Image::F64(image);
    let execute = |parameters: Parameters| {
        let extractor = Extractor::new(parameters);
        let extraction = extractor.execute(&image, &mask, 1).unwrap();
        let names: Vec<String> = extraction.features.iter().map(|feature| feature.id.name()).collect();
        assert_eq!(names, extractor.feature_columns(3));
        extraction
    };
    let both = execute(Parameters::default().with_ibsi(IbsiProfile::default()).unwrap());
    let (pyradiomics, ibsi) = (execute(Parameters::default()), execute(IbsiProfile::default().check().unwrap()));
    let bits = |features: &[FeatureValue]| -> Vec<(FeatureId, u64)> {
        features.iter().map(|feature| (feature.id.clone(), feature.value.to_bits())).collect()
    };
    assert_eq!(bits(&both.features), bits(&[pyradiomics.features, ibsi.features].concat()));
    let texts = |entries: &[alnm_radiomics::Diagnostic]| {
        entries.iter().map(|entry| (entry.name.clone(), entry.value.to_string())).collect::<Vec<_>>()
    };
    let expected = [pyradiomics.diagnostics, ibsi.diagnostics].concat();
    assert_eq!(texts(&both.diagnostics), texts(&expected));
    assert_eq!(both.warnings, pyradiomics.warnings);
    assert!(matches!(both.warnings[..], [Warning::UnusualBinNumber { .. }]), "{:?}", both.warnings);
}

/// The phantom's maps with this radius, and the grey values.
fn phantom_maps(radius: [usize; 3], profile: IbsiProfile) -> Vec<FeatureMap> {
    let (image, mask) = phantom();
    let profile = profile.with_maps(FeatureMapSettings::default().with_radius(radius).with_outside(-7.0));
    Extractor::new(profile.check().unwrap()).execute_voxel_based(&Image::F64(image), &mask, 1).unwrap().maps
}

#[test]
fn a_neighbourhood_of_everything_has_the_values_of_the_reference_manual() {
    let maps = phantom_maps([4; 3], IbsiProfile::reference(ReferenceConfiguration::DigitalPhantom));
    let (_, mask) = phantom();
    for (column, reference, tolerance) in REFERENCE.iter().filter(|(column, ..)| !column.starts_with("morph")) {
        let map = &maps.iter().find(|map| map.id.name() == *column).unwrap().map;
        assert_eq!(map.geometry().size(), [5, 4, 4]);
        for (value, label) in map.as_slice().iter().zip(mask.as_slice()) {
            let rounded: f64 = format!("{value:.2e}").parse().unwrap();
            let close = (rounded - reference).abs() <= tolerance + 1e-12;
            assert!(close || (*label == 0 && *value == -7.0), "{column}: {value} instead of {reference}");
        }
    }
}

/// Each neighbourhood extracted by itself. Levels are the image's own, so that the highest of a neighbourhood, which is
/// its N_g, is the only thing that its neighbours could tell it.
#[test]
fn maps_are_extractions_of_each_neighbourhood() {
    const OF_HIGHEST_LEVEL: [&str; 4] = ["cm_inv_diff_norm", "cm_inv_diff_mom_norm", "ih_max_grad", "ih_min_grad"];
    let radius = [2, 1, 1];
    let profile = IbsiProfile::reference(ReferenceConfiguration::DigitalPhantom).with_families(&IbsiFamily::ALL[1..]);
    let maps = phantom_maps(radius, profile.clone());
    let (image, mask) = phantom();
    for ((z, y, x), _) in mask.data().indexed_iter().filter(|(_, label)| **label == 1) {
        let near = |a: usize, b: usize, reach: usize| a.abs_diff(b) <= reach;
        let neighbourhood = Array3::from_shape_fn(mask.data().dim(), |(k, j, i)| {
            let inside = near(i, x, radius[0]) && near(j, y, radius[1]) && near(k, z, radius[2]);
            if inside { mask.data()[[k, j, i]] } else { 0 }
        });
        let neighbourhood = Volume::new(neighbourhood, mask.geometry().clone()).unwrap();
        let alone = execute(profile.clone(), &image, &neighbourhood, 1).unwrap();
        assert_eq!(alone.features.len(), maps.len());
        for (map, feature) in maps.iter().zip(&alone.features) {
            assert_eq!(map.id, feature.id);
            if OF_HIGHEST_LEVEL.iter().any(|name| feature.id.name().starts_with(name)) {
                continue;
            }
            let (found, expected) = (map.map.data()[[z, y, x]], feature.value);
            let close = (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3);
            assert!(close || (found.is_nan() && expected.is_nan()), "{} at {x} {y} {z}: {found} {expected}", map.id);
        }
    }
}

/// Where the formulas are the same, so are the maps, and those of the profile of PyRadiomics are compared with PyRadiomics.
#[test]
fn maps_agree_with_those_of_the_other_profile() {
    // Of directions with pairs of one level, and of entropies that differ by rounding, the profiles have their own opinion.
    const OTHERWISE: [&str; 3] = ["cm_corr", "cm_info_corr1", "cm_info_corr2"];
    let levels =
        Array3::from_shape_fn([5, 6, 7], |(z, y, x)| f64::from(1 + ((x * 31 + y * 17 + z * 7) * (x + y)) as u32 % 6));
    let (image, mut mask) = volumes(levels, Array3::zeros([5, 6, 7]), 1.0);
    mask.as_mut_slice()[1..].fill(1);
    let profile = IbsiProfile::default().with_families(&IbsiFamily::ALL[2..]);
    let settings = Settings::default().with_bin_width(1.0);
    let parameters = Parameters::builder().settings(settings).check().unwrap().with_ibsi(profile).unwrap();
    let maps = Extractor::new(parameters).execute_voxel_based(&Image::F64(image), &mask, 1).unwrap().maps;
    let (pyradiomics, ibsi): (Vec<_>, Vec<_>) =
        maps.iter().partition(|map| matches!(map.id, FeatureId::PyRadiomics { .. }));
    let mut compared = 0;
    for map in pyradiomics.iter().filter(|map| map.id.compliance() == Compliance::Compliant) {
        let of_same = |other: &&&FeatureMap| match &other.id {
            FeatureId::Ibsi { aggregation, .. } => {
                map.id.ibsi() == other.id.ibsi() && *aggregation != Some(Aggregation::VolumeMergedDirections)
            }
            _ => false,
        };
        let Some(other) = ibsi.iter().find(of_same) else { continue };
        if OTHERWISE.iter().any(|name| other.id.name().starts_with(name)) {
            continue;
        }
        compared += 1;
        for (a, b) in map.map.as_slice().iter().zip(other.map.as_slice()) {
            assert!((a - b).abs() <= 1e-9 * b.abs().max(1e-3), "{} {a} and {} {b}", map.id, other.id);
        }
    }
    assert_eq!(compared, 14 + 2 + 20 + 16 + 16 + 14 + 5);
}

#[test]
fn maps_of_both_profiles_come_in_one_call() {
    let (image, mask) = phantom();
    let profile = IbsiProfile::default().with_families([IbsiFamily::Statistics]);
    let parameters = Parameters::builder().feature(FeatureClass::FirstOrder, "Mean").check().unwrap();
    let extractor = Extractor::new(parameters.with_ibsi(profile).unwrap());
    let extraction = extractor.execute_voxel_based(&Image::F64(image), &mask, 1).unwrap();
    let names: Vec<String> = extraction.maps.iter().map(|map| map.id.name()).collect();
    assert_eq!((names.len(), names[0].as_str(), names[1].as_str()), (19, "original_firstorder_Mean", "stat_mean"));
    // PyRadiomics sees the rim of one voxel that the image does not have.
    let [first, second, ..] = extraction.maps.as_slice() else { panic!("{names:?}") };
    let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
    assert!(first.map.as_slice().iter().zip(second.map.as_slice()).all(close));
}

#[test]
fn warnings_are_those_of_the_other_profile() {
    let mut mask = Array3::<u32>::zeros([6, 6, 6]);
    mask.slice_mut(ndarray::s![0..2, 0..3, 0..3]).fill(1);
    mask.slice_mut(ndarray::s![4..6, 3..6, 3..6]).fill(1);
    let image = Array3::from_shape_fn([6, 6, 6], |(z, y, x)| (z * 36 + y * 6 + x) as f64);
    let both = volumes(image, mask, 1.0);
    let parts = Warning::SeveralComponents { count: 2 };
    let profile = IbsiProfile::default().with_discretisation(IbsiDiscretisation::FixedBinSize(100.0));
    let warnings = extract(&profile, &both).warnings;
    assert_eq!(warnings[0], parts);
    // Values from 0 to 215, of which 64 bins are 3.36 wide.
    let text = "ibsi: the grey values fill 3 bins, 16..=256 are usual; a fixed_bin_size of 3.36 would give 64";
    assert_eq!(warnings[1].to_string(), text);
    let usual = profile.with_discretisation(IbsiDiscretisation::FixedBinNumber(32));
    assert_eq!(extract(&usual, &both).warnings, std::slice::from_ref(&parts));
    let parameters = Parameters::default().with_ibsi(usual.clone()).unwrap();
    let together = Extractor::new(parameters).execute(&Image::F64(both.0.clone()), &both.1, 1).unwrap().warnings;
    assert_eq!(together.iter().filter(|warning| **warning == parts).count(), 1);
    let maps = Extractor::new(usual.check().unwrap()).execute_voxel_based(&Image::F64(both.0), &both.1, 1).unwrap();
    assert_eq!(maps.warnings, [parts]);
}

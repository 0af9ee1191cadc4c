//! Structure sets and segmentations as masks.

use alnm_imaging::dicom::{MaskFile, Segmentation, StructureSet};
use alnm_imaging::mask::{ContourEdge, CrossingContours, MaskNote, MaskParams, MaskProblem, MaskReader};
use alnm_imaging::{FileProblem, Geometry, ImagingError, LabelMap, Result, read_mask};
use dicom_dictionary_std::uids;
use proptest::prelude::*;

use crate::builder::{DrawnRoi, FRAME_OF_REFERENCE, SegmentFrame, file, fragments, segmentation, structure_set};
use crate::codec::{deflated, rle};
use crate::oblique;

const CLOSED: &str = "CLOSED_PLANAR";

fn read(rois: &[DrawnRoi]) -> StructureSet {
    StructureSet::from_bytes(&file(structure_set(rois), uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap()
}

/// A polygon given in indices of the grid.
fn polygon(grid: &Geometry, slice: f64, corners: &[[f64; 2]]) -> Vec<[f64; 3]> {
    corners.iter().map(|[x, y]| grid.index_to_point([*x, *y, slice])).collect()
}

fn square(grid: &Geometry, slice: f64, low: f64, high: f64) -> (&'static str, Vec<[f64; 3]>) {
    (CLOSED, polygon(grid, slice, &[[low, low], [high, low], [high, high], [low, high]]))
}

fn roi(name: &'static str, number: i64, contours: Vec<(&'static str, Vec<[f64; 3]>)>) -> DrawnRoi {
    DrawnRoi { number, name, contours }
}

fn reader(params: MaskParams) -> MaskReader {
    params.check().unwrap()
}

fn on_params(grid: &Geometry) -> MaskParams {
    MaskParams::default().with_grid(grid.clone())
}

/// All regions on a grid.
fn on(grid: &Geometry) -> MaskReader {
    reader(on_params(grid))
}

/// All regions on the grid of the file.
fn all() -> MaskReader {
    reader(MaskParams::default())
}

/// One slice of a mask as text, `#` inside.
fn picture(mask: &LabelMap, slice: usize) -> Vec<String> {
    let plane = mask.data().index_axis(ndarray::Axis(0), slice);
    plane.rows().into_iter().map(|row| row.iter().map(|&voxel| if voxel == 0 { '.' } else { '#' }).collect()).collect()
}

fn mask_problem(result: Result<LabelMap>) -> MaskProblem {
    match result {
        Err(ImagingError::File { problem: FileProblem::Mask(problem), .. }) => *problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn inner_contours_are_holes_and_further_ones_islands() {
    let grid = oblique([9, 9, 3]);
    let contours = vec![square(&grid, 1.0, 0.5, 7.5), square(&grid, 1.0, 2.5, 5.5), square(&grid, 1.0, 3.5, 4.5)];
    let mask = read(&[roi("ring", 4, contours)]).mask(&on(&grid)).unwrap();
    let ring = [
        ".........",
        ".#######.",
        ".#######.",
        ".##...##.",
        ".##.#.##.",
        ".##...##.",
        ".#######.",
        ".#######.",
        ".........",
    ];
    assert_eq!(picture(&mask, 1), ring);
    assert!(mask.data().index_axis(ndarray::Axis(0), 0).iter().all(|&voxel| voxel == 0));
}

#[test]
fn a_keyhole_is_the_hole_it_leads_to() {
    let grid = oblique([9, 9, 1]);
    let keyhole = [
        [0.5, 0.5],
        [7.5, 0.5],
        [7.5, 4.0],
        [5.5, 4.0],
        [5.5, 2.5],
        [2.5, 2.5],
        [2.5, 5.5],
        [5.5, 5.5],
        [5.5, 4.0],
        [7.5, 4.0],
        [7.5, 7.5],
        [0.5, 7.5],
    ];
    let mask = |contours| read(&[roi("ring", 1, contours)]).mask(&on(&grid)).unwrap();
    let nested = mask(vec![square(&grid, 0.0, 0.5, 7.5), square(&grid, 0.0, 2.5, 5.5)]);
    assert_eq!(mask(vec![(CLOSED, polygon(&grid, 0.0, &keyhole))]), nested);
}

#[test]
fn a_contour_that_stands_twice_counts_once() {
    let grid = oblique([9, 9, 1]);
    let mask = |count| read(&[roi("twice", 1, vec![square(&grid, 0.0, 1.5, 4.5); count])]).mask(&on(&grid)).unwrap();
    assert_eq!(mask(2), mask(1));
}

#[test]
fn sparse_contours_fill_the_slices_between_them() {
    let grid = oblique([6, 6, 12]);
    let filled = |slices: &[f64]| {
        let contours = slices.iter().map(|&slice| square(&grid, slice, 0.5, 4.5)).collect();
        let mask = read(&[roi("sparse", 1, contours)]).mask(&on(&grid)).unwrap();
        (0..12).filter(|&slice| picture(&mask, slice).concat().contains('#')).collect::<Vec<_>>()
    };
    // A plane every third slice, between slices of the grid: nothing is filled beyond half a slice around them.
    assert_eq!(filled(&[1.4, 4.4, 7.4]), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(filled(&[1.0, 3.0, 5.0]), [1, 2, 3, 4, 5]);
    // Planes midway between slices: as many slices as planes.
    assert_eq!(filled(&[2.5, 3.5, 4.5]), [2, 3, 4]);
    assert_eq!(filled(&[2.5]), [2]);
    // Where a plane is missing in between, each side reaches half a slice.
    assert_eq!(filled(&[0.0, 2.0, 4.0, 8.0, 10.0]), [0, 1, 2, 3, 4, 8, 9, 10]);
    // Planes closer than slices: the nearest one counts.
    assert_eq!(filled(&[3.7, 4.1, 4.5, 4.9]), [4, 5]);
    // Two lesions far apart say nothing about the distance of contours.
    assert_eq!(filled(&[2.0, 9.0]), [2, 9]);
}

#[test]
fn what_is_filled_between_contours_is_said() {
    let grid = oblique([6, 6, 12]);
    let notes = |slices: &[f64]| {
        let contours = slices.iter().map(|&slice| square(&grid, slice, 0.5, 4.5)).collect();
        read(&[roi("sparse", 1, contours)]).draw(&on(&grid)).unwrap().notes
    };
    assert_eq!(notes(&[1.0, 2.0, 3.0]), []);
    let [MaskNote::FilledBetween { contours, slices, .. }] = &notes(&[1.0, 3.0, 5.0])[..] else { panic!() };
    assert!((contours - 4.2).abs() < 1e-6 && (slices - 2.1).abs() < 1e-12, "{contours} {slices}");
}

#[test]
fn contours_that_leave_the_image_lose_a_share_that_is_said() {
    let grid = oblique([9, 9, 4]);
    let share = |contours: Vec<(&'static str, Vec<[f64; 3]>)>| {
        let drawn = read(&[roi("GTV", 1, contours)]).draw(&on(&grid)).unwrap();
        let inside = drawn.mask.as_slice().iter().filter(|voxel| **voxel == 1).count();
        match &drawn.notes[..] {
            [] => (inside, 0.0),
            [MaskNote::CutOff { share, name }] if name == "GTV" => (inside, *share),
            other => panic!("{other:?}"),
        }
    };
    let corners = [[5.5, 1.5], [13.5, 1.5], [13.5, 3.5], [5.5, 3.5]];
    // Columns 6 to 8 of 6 to 13.
    assert_eq!(share(vec![(CLOSED, polygon(&grid, 1.0, &corners))]), (6, 10.0 / 16.0));
    let upwards: Vec<[f64; 2]> = corners.iter().map(|[x, y]| [*y, 1.0 - x]).collect();
    assert!(share_of_none(&grid, &upwards));
    // Slices 2 and 3 of 2 to 5.
    let slices = (2..6).map(|slice| square(&grid, f64::from(slice), 0.5, 3.5)).collect();
    assert_eq!(share(slices), (18, 0.5));
    assert_eq!(share(vec![square(&grid, 1.0, -0.5, 8.5)]), (81, 0.0));
}

/// Whether a contour that lies wholly outside is an error.
fn share_of_none(grid: &Geometry, corners: &[[f64; 2]]) -> bool {
    let set = read(&[roi("GTV", 1, vec![(CLOSED, polygon(grid, 1.0, corners))])]);
    matches!(mask_problem(set.mask(&on(grid))), MaskProblem::Outside { .. })
}

#[test]
fn crossing_contours_are_combined_as_asked_for() {
    let grid = oblique([12, 6, 1]);
    let rectangle =
        |left: f64, right: f64| (CLOSED, polygon(&grid, 0.0, &[[left, 0.5], [right, 0.5], [right, 3.5], [left, 3.5]]));
    let hole = (CLOSED, polygon(&grid, 0.0, &[[1.5, 1.5], [2.5, 1.5], [2.5, 2.5], [1.5, 2.5]]));
    let set = read(&[roi("two", 1, vec![rectangle(0.5, 6.5), rectangle(4.5, 9.5), hole.clone()])]);
    let drawn = |crossing: CrossingContours| {
        let drawn = set.draw(&reader(on_params(&grid).with_crossing(crossing))).unwrap();
        let [MaskNote::Crossing { planes: 1, combined, .. }] = &drawn.notes[..] else { panic!("{:?}", drawn.notes) };
        assert_eq!(*combined, crossing);
        picture(&drawn.mask, 0)[1..4].to_vec()
    };
    assert_eq!(drawn(CrossingContours::ExclusiveOr), [".####..###..", ".#.##..###..", ".####..###.."]);
    // The hole stays one.
    assert_eq!(drawn(CrossingContours::Union), [".#########..", ".#.#######..", ".#########.."]);
    let apart = read(&[roi("two", 1, vec![rectangle(0.5, 4.5), rectangle(4.5, 9.5), hole])]);
    assert_eq!(apart.draw(&on(&grid)).unwrap().notes, []);
}

#[test]
fn centres_on_an_edge_are_inside_on_request() {
    // On an oblique grid rounding decides on which side of an edge a centre lies.
    let grid = Geometry::axis_aligned([9, 9, 1], [1.0; 3]).unwrap();
    let inside = |contours: Vec<(&'static str, Vec<[f64; 3]>)>, edge: ContourEdge| {
        let set = read(&[roi("ring", 1, contours)]);
        picture(&set.mask(&reader(on_params(&grid).with_edge(edge))).unwrap(), 0)
    };
    // From centre to centre of the outermost voxels, with a hole drawn on the voxels around it, as rt-utils draws.
    let ring = || vec![square(&grid, 0.0, 1.0, 7.0), square(&grid, 0.0, 3.0, 5.0)];
    let whole = [
        ".........",
        ".#######.",
        ".#######.",
        ".#######.",
        ".###.###.",
        ".#######.",
        ".#######.",
        ".#######.",
        ".........",
    ];
    assert_eq!(inside(ring(), ContourEdge::Inside), whole);
    assert_eq!(inside(ring(), ContourEdge::HalfOpen)[7], ".........");
    // A slanted edge: centres (2, 2), (4, 3) and (6, 4) lie on it.
    let triangle = vec![(CLOSED, polygon(&grid, 0.0, &[[2.0, 2.0], [6.0, 4.0], [2.0, 4.0]]))];
    let drawn = inside(triangle, ContourEdge::Inside);
    assert_eq!(drawn[2..5], ["..#......", "..###....", "..#####.."]);
}

#[test]
fn contours_along_other_axes_are_drawn_there() {
    let grid = oblique([7, 7, 7]);
    let corners = [[1.5, 1.5], [4.5, 1.5], [4.5, 5.5], [1.5, 5.5]];
    let sagittal: Vec<[f64; 3]> = corners.iter().map(|[y, z]| grid.index_to_point([3.0, *y, *z])).collect();
    let mask = read(&[roi("sagittal", 1, vec![(CLOSED, sagittal)])]).mask(&on(&grid)).unwrap();
    let inside: Vec<[usize; 3]> = (0..343).filter(|&i| mask.as_slice()[i] != 0).map(|i| grid.index_of(i)).collect();
    assert_eq!(inside.len(), 12);
    assert!(inside.iter().all(|&[x, y, z]| x == 3 && (2..=4).contains(&y) && (2..=5).contains(&z)));
}

#[test]
fn regions_are_chosen_by_name_or_number_and_faults_are_named() {
    let grid = oblique([8, 8, 4]);
    let set = read(&[
        roi("GTV", 7, vec![square(&grid, 1.0, 0.5, 3.5)]),
        roi("CTV", 9, vec![square(&grid, 1.0, 0.5, 5.5)]),
        roi("isocentre", 11, vec![("POINT", vec![[0.0; 3]])]),
        roi("far", 12, vec![square(&grid, 40.0, 0.5, 5.5)]),
        roi(
            "askew",
            13,
            vec![(
                CLOSED,
                [[0.0, 0.0, 0.0], [6.0, 0.0, 1.0], [0.0, 6.0, 3.0]].map(|p| grid.index_to_point(p)).to_vec(),
            )],
        ),
    ]);
    let mask = |choice: &str| {
        set.mask(&reader(on_params(&grid).with_region(choice).with_frame_of_reference(FRAME_OF_REFERENCE)))
    };
    let count = |mask: LabelMap| mask.as_slice().iter().filter(|voxel| **voxel == 1).count();
    assert_eq!(count(mask("GTV").unwrap()), 9);
    assert_eq!(count(set.mask(&reader(on_params(&grid).with_region(9))).unwrap()), 25);
    assert!(matches!(mask_problem(mask("gtv")), MaskProblem::NoSuchRegion { present, .. } if present.len() == 5));
    assert!(matches!(mask_problem(mask("isocentre")), MaskProblem::NoClosedContour { .. }));
    assert!(matches!(mask_problem(mask("far")), MaskProblem::Outside { .. }));
    assert!(matches!(mask_problem(mask("askew")), MaskProblem::Askew { .. }));
    let elsewhere = set.mask(&reader(on_params(&grid).with_region("GTV").with_frame_of_reference("2.25.999")));
    assert!(matches!(mask_problem(elsewhere), MaskProblem::FrameOfReference { .. }));
    let overlapping =
        read(&[roi("a", 1, vec![square(&grid, 1.0, 0.5, 3.5)]), roi("b", 2, vec![square(&grid, 1.0, 2.5, 5.5)])]);
    assert!(matches!(mask_problem(overlapping.mask(&on(&grid))), MaskProblem::Overlap { .. }));
    let apart =
        read(&[roi("a", 31, vec![square(&grid, 1.0, 0.5, 3.5)]), roi("b", 32, vec![square(&grid, 2.0, 0.5, 3.5)])]);
    assert_eq!(alnm_imaging::region::labels(&apart.mask(&on(&grid)).unwrap(), 8), [1, 2]);
}

#[test]
fn one_reader_tells_masks_by_their_content() {
    let folder = tempfile::tempdir().unwrap();
    let grid = oblique([8, 8, 4]);
    let path = folder.path().join("structures");
    let object = structure_set(&[roi("GTV", 1, vec![square(&grid, 1.0, 0.5, 3.5)])]);
    std::fs::write(&path, file(object, uids::IMPLICIT_VR_LITTLE_ENDIAN)).unwrap();
    let mask = on(&grid).read(&path).unwrap();
    assert_eq!(mask, reader(on_params(&grid).with_region("GTV")).read(folder.path()).unwrap());
    assert!(matches!(mask_problem(read_mask(&path)), MaskProblem::GridNeeded));
    assert_eq!(MaskFile::find(&path).unwrap().unwrap().regions()[0].name, "GTV");
    let image = alnm_imaging::read_image(&path).unwrap_err().to_string();
    assert!(image.contains("read as masks"), "{image}");
}

/// Whether each of the points, given in indices, lies inside a polygon: the winding of the rays to its corners, one by
/// one.
fn is_inside(polygon: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
    let ends = polygon.iter().zip(polygon.iter().cycle().skip(1));
    let crossings =
        ends.filter(|([x0, y0], [x1, y1])| (*y0 > y) != (*y1 > y) && x < x0 + (y - y0) * (x1 - x0) / (y1 - y0));
    crossings.count() % 2 == 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn polygons_fill_the_centres_that_a_ray_finds_inside(corners in prop::collection::vec((-2.0f64..12.0, -2.0f64..12.0), 3..12)) {
        let grid = Geometry::axis_aligned([10, 10, 1], [1.0; 3]).unwrap();
        let corners: Vec<[f64; 2]> = corners.into_iter().map(|(x, y)| [(x * 1e3).round() / 1e3, (y * 1e3).round() / 1e3]).collect();
        let set = read(&[roi("any", 1, vec![(CLOSED, polygon(&grid, 0.0, &corners))])]);
        let expected: Vec<u32> = (0..100).map(|i| u32::from(is_inside(&corners, [(i % 10) as f64 + 1e-9, (i / 10) as f64 + 1e-9]))).collect();
        match set.mask(&on(&grid)) {
            Ok(mask) => prop_assert_eq!(mask.as_slice(), expected),
            Err(_) => prop_assert!(expected.iter().all(|&voxel| voxel == 0)),
        }
    }

    #[test]
    fn segments_keep_their_voxels(bits in prop::collection::vec(0u8..2, 7 * 5 * 4)) {
        let grid = oblique([7, 5, 4]);
        let planes: Vec<Vec<u8>> = bits.chunks(35).map(<[u8]>::to_vec).collect();
        // The last slice first, since frames come in any order.
        let frames: Vec<SegmentFrame> =
            (0..4).rev().map(|slice| SegmentFrame { segment: Some(1), slice: slice as f64, pixels: planes[slice].clone() }).collect();
        let bytes = file(segmentation("BINARY", &grid, &[1], &frames), uids::EXPLICIT_VR_LITTLE_ENDIAN);
        let mask = Segmentation::from_bytes(&bytes).unwrap().mask(&all()).unwrap();
        prop_assert!(mask.geometry().difference(&grid, 1e-6).is_none());
        prop_assert!(mask.as_slice().iter().zip(&bits).all(|(voxel, bit)| *voxel == u32::from(*bit)));
    }
}

/// A frame of 4 x 3 pixels with one of them set.
fn frame(segment: u16, slice: f64, pixel: usize, value: u8) -> SegmentFrame {
    let mut pixels = vec![0; 12];
    pixels[pixel] = value;
    SegmentFrame { segment: Some(segment), slice, pixels }
}

fn segments(kind: &str, grid: &Geometry, numbers: &[u16], frames: &[SegmentFrame]) -> Segmentation {
    Segmentation::from_bytes(&file(segmentation(kind, grid, numbers, frames), uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap()
}

#[test]
fn segments_are_placed_on_the_images_grid() {
    let grid = oblique([4, 3, 9]);
    // Slices without a frame are empty; the first frame lies on slice 2.
    let file = segments("BINARY", &grid, &[1, 2], &[frame(1, 2.0, 0, 1), frame(1, 5.0, 3, 1), frame(2, 5.0, 7, 1)]);
    assert_eq!(file.grid().unwrap().size(), [4, 3, 4]);
    let mask = file.mask(&reader(on_params(&grid).with_frame_of_reference(FRAME_OF_REFERENCE))).unwrap();
    let inside: Vec<(usize, u32)> =
        mask.as_slice().iter().copied().enumerate().filter(|(_, voxel)| *voxel != 0).collect();
    assert_eq!(inside, [(2 * 12, 1), (5 * 12 + 3, 1), (5 * 12 + 7, 2)]);
    let second = file.mask(&reader(on_params(&grid).with_region("segment 2"))).unwrap();
    assert_eq!(second.as_slice().iter().position(|&voxel| voxel == 1), Some(5 * 12 + 7));
    assert_eq!(second, file.mask(&reader(on_params(&grid).with_region(2))).unwrap());
    assert!(matches!(
        mask_problem(file.mask(&reader(on_params(&grid).with_frame_of_reference("2.25.999")))),
        MaskProblem::FrameOfReference { .. }
    ));
    assert!(matches!(
        mask_problem(file.mask(&reader(MaskParams::default().with_region(3)))),
        MaskProblem::NoSuchRegion { .. }
    ));
}

#[test]
fn segments_that_leave_the_grid_lose_a_share_that_is_said() {
    let grid = oblique([4, 3, 9]);
    let file = segments("BINARY", &grid, &[1, 2], &[frame(1, 2.0, 0, 1), frame(1, 5.0, 3, 1), frame(2, 5.0, 7, 1)]);
    let lower = grid.with_grid([4, 3, 4], grid.spacing(), grid.origin()).unwrap();
    let told: Vec<String> = file.draw(&on(&lower)).unwrap().notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "\"segment 1\" leaves the image: 50.0 % of it lies outside and is lost",
            "\"segment 2\" is lost: it lies outside of the image, or is smaller than its voxels"
        ]
    );
    let second = mask_problem(file.mask(&reader(on_params(&lower).with_region(2))));
    assert_eq!(second, MaskProblem::OffGrid { regions: vec!["\"segment 2\"".to_owned()] });
}

#[test]
fn segments_that_overlap_are_read_one_by_one() {
    let grid = oblique([4, 3, 2]);
    let file = segments("BINARY", &grid, &[1, 2], &[frame(1, 0.0, 5, 1), frame(2, 0.0, 5, 1)]);
    assert!(matches!(mask_problem(file.mask(&all())), MaskProblem::Overlap { .. }));
    assert_eq!(file.mask(&reader(MaskParams::default().with_region(2))).unwrap().as_slice()[5], 1);
}

#[test]
fn fractions_count_from_the_threshold_on() {
    let grid = oblique([4, 3, 1]);
    // The largest fraction is written as 200.
    let file = segments("FRACTIONAL", &grid, &[1], &[frame(1, 0.0, 5, 100)]);
    let voxel =
        |threshold: f64| file.mask(&reader(MaskParams::default().with_threshold(threshold))).unwrap().as_slice()[5];
    assert_eq!([voxel(0.5), voxel(0.51)], [1, 0]);
    assert!(MaskParams::default().with_threshold(0.0).check().is_err());
}

#[test]
fn label_maps_keep_the_numbers_of_segments() {
    let grid = oblique([4, 3, 1]);
    let pixels = vec![0, 3, 5, 0, 0, 0, 3, 3, 0, 0, 5, 0];
    let file =
        segments("LABELMAP", &grid, &[3, 5], &[SegmentFrame { segment: None, slice: 0.0, pixels: pixels.clone() }]);
    let mask = file.mask(&all()).unwrap();
    assert!(mask.as_slice().iter().zip(&pixels).all(|(voxel, pixel)| *voxel == u32::from(*pixel)));
    let five = file.mask(&reader(MaskParams::default().with_region(5))).unwrap();
    assert_eq!(five.as_slice().iter().filter(|voxel| **voxel == 1).count(), 2);
}

#[cfg(feature = "jpeg2000")]
#[test]
fn segments_may_be_compressed_as_jpeg_2000() {
    // 16 x 8 pixels of one bit, 1 where x + 2 y is a multiple of 3, coded by tests/data/make_jpeg2000.py.
    let grid = oblique([16, 8, 1]);
    let frame = SegmentFrame { segment: Some(1), slice: 0.0, pixels: vec![0; 128] };
    let mut object = segmentation("BINARY", &grid, &[1], &[frame]);
    object.put(fragments(vec![include_bytes!("../data/bits.j2k").to_vec()]));
    let mask = Segmentation::from_bytes(&file(object, uids::JPEG2000_LOSSLESS)).unwrap().mask(&all()).unwrap();
    let expected: Vec<u32> = (0..128).map(|i| u32::from((i % 16 + 2 * (i / 16)) % 3 == 0)).collect();
    assert_eq!(mask.as_slice(), expected);
}

#[test]
fn segments_may_be_compressed_frame_by_frame() {
    let grid = oblique([4, 3, 2]);
    let frames = [frame(1, 0.0, 10, 1), frame(1, 1.0, 3, 1)];
    let native = segments("BINARY", &grid, &[1], &frames).mask(&all()).unwrap();
    let mut object = segmentation("BINARY", &grid, &[1], &frames);
    // Twelve bits a frame, each of which begins with a byte.
    object.put(fragments([[0, 0b100], [0b1000, 0]].map(|bits| deflated(&bits)).to_vec()));
    let compressed = Segmentation::from_bytes(&file(object.clone(), uids::DEFLATED_IMAGE_FRAME_COMPRESSION)).unwrap();
    assert_eq!(compressed.mask(&all()).unwrap(), native);
    object.put(fragments([[0, 0b100], [0b1000, 0]].map(|bits| rle(&[bits.to_vec()])).to_vec()));
    let compressed = Segmentation::from_bytes(&file(object.clone(), uids::RLE_LOSSLESS)).unwrap();
    assert_eq!(compressed.mask(&all()).unwrap(), native);
    object.put(fragments(vec![deflated(&[0]), deflated(&[0b1000, 0])]));
    let truncated = Segmentation::from_bytes(&file(object, uids::DEFLATED_IMAGE_FRAME_COMPRESSION)).unwrap();
    assert!(truncated.mask(&all()).unwrap_err().to_string().contains("end before frame 1"));
}

#[test]
fn frames_on_no_grid_are_refused() {
    let grid = oblique([4, 3, 9]);
    let uneven = segments("BINARY", &grid, &[1], &[frame(1, 0.0, 0, 1), frame(1, 1.0, 0, 1), frame(1, 2.4, 0, 1)]);
    assert!(uneven.grid().unwrap_err().to_string().contains("uneven"));
}

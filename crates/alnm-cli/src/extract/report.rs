//! The features of a case as a DICOM structured report.

use std::path::{Path, PathBuf};

use alnm_imaging::dicom::{
    CodedConcept, DerivedSeries, MaskFile, MeasuredRegion, MeasuredValue, MeasurementReportParams, Segment,
    SegmentReference, Segmentation, SegmentationParams, SourceImages,
};
use alnm_imaging::{FileFormat, LabelMap};
use anyhow::{Context, Result, ensure};

use super::arguments::{ExtractArgs, Mode, Profile};
use super::batch::Case;
use super::engine::ComputedFeature;
use super::regions::{CaseRegion, series_choice};
use super::store::Fingerprint;
use crate::cases::is_list;
use crate::dicom_object::source_images;
use crate::interrupt::while_writing;
use crate::output::{require_folder, require_folder_of};

/// A region with its features.
pub(super) struct ReportedRegion {
    pub(super) region: CaseRegion,
    /// A mask in which the region has its label.
    pub(super) mask: LabelMap,
    pub(super) features: Vec<ComputedFeature>,
}

/// Refuses, before any work is done, what gives no report.
pub(super) fn check(arguments: &ExtractArgs, cases: &[Case]) -> Result<()> {
    let Some(given) = &arguments.sr else { return Ok(()) };
    ensure!(
        !is_list(&arguments.input) || given.is_dir() || !given.exists(),
        "{} is a file; the reports of a list of cases go to a folder, so name one for --sr",
        given.display()
    );
    ensure!(
        arguments.mode == Mode::Segment && !arguments.slice_means,
        "--sr reports features of regions, not maps, images or means over slices; leave --mode and --slice-means away"
    );
    ensure!(
        !arguments.all_phases && arguments.components.is_none(),
        "--sr reports regions of one image; leave --all-phases and --components away"
    );
    let reports = cases.iter().filter_map(|case| path(arguments, case));
    let files: Vec<PathBuf> = reports.flat_map(|report| [segmentation_path(&report), report]).collect();
    if is_list(&arguments.input) { require_folder(given) } else { require_folder_of(given) }?;
    arguments.overwriting.check(files.iter().map(PathBuf::as_path))
}

/// The file for the report of a case; none where no report is asked for.
pub(super) fn path(arguments: &ExtractArgs, case: &Case) -> Option<PathBuf> {
    let given = arguments.sr.as_ref()?;
    let in_folder = || given.join(format!("Case-{}.sr.dcm", case.number));
    Some(if is_list(&arguments.input) { in_folder() } else { given.clone() })
}

/// The segmentation that is written beside a report whose mask is none: `lesion.seg.dcm` beside `lesion.sr.dcm`.
fn segmentation_path(report: &Path) -> PathBuf {
    let name = report.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".dcm").unwrap_or(&name);
    let stem = stem.strip_suffix(".sr").unwrap_or(stem);
    report.with_file_name(format!("{stem}.seg.dcm"))
}

/// Writes the report of a case, and a segmentation where its mask is none.
pub(super) fn write(arguments: &ExtractArgs, path: &Path, case: &Case, reported: &[ReportedRegion]) -> Result<()> {
    if let Some(folder) = path.parent().filter(|_| is_list(&arguments.input)) {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    // What is odd about the series was told when it was read.
    let source = source_images(&case.image, &series_choice(arguments, case)?, &|_| ())?;
    let names: Vec<String> = reported.iter().map(|region| name_of(arguments, case, &region.region)).collect();
    let segments = match stored_segments(arguments, case, reported)? {
        Some(segments) => segments,
        None => write_segmentation(&segmentation_path(path), &source, reported, &names)?,
    };
    let has_hounsfield_units = source.attributes().modality == "CT";
    let regions: Vec<MeasuredRegion> = reported
        .iter()
        .zip(names)
        .zip(segments)
        .map(|((region, name), segment)| {
            let measurements =
                region.features.iter().map(|feature| measurement(feature, has_hounsfield_units)).collect();
            MeasuredRegion::new(name, segment, measurements)
        })
        .collect();
    let params = MeasurementReportParams::default()
        .with_algorithm(algorithm(arguments))
        .with_algorithm_version(env!("CARGO_PKG_VERSION"))
        .with_parameters(parameter_texts(arguments)?)
        .with_series(DerivedSeries::new("Radiomic features"));
    let params = params.check()?;
    let _whole = while_writing();
    params.write(path, &regions, &source)?;
    Ok(())
}

/// The name of the region that a case asks for.
fn roi<'a>(arguments: &'a ExtractArgs, case: &'a Case) -> Option<&'a str> {
    case.roi.as_deref().or(arguments.roi.as_deref())
}

fn name_of(arguments: &ExtractArgs, case: &Case, region: &CaseRegion) -> String {
    match (region.name(), roi(arguments, case)) {
        (None, Some(roi)) => roi.to_owned(),
        (Some(name), _) => name,
        _ if arguments.whole_image => "Whole image".to_owned(),
        _ => format!("Region {}", region.origin.unwrap_or(region.label)),
    }
}

/// The segments of a mask that is a DICOM segmentation; none for another mask.
fn stored_segments(
    arguments: &ExtractArgs,
    case: &Case,
    reported: &[ReportedRegion],
) -> Result<Option<Vec<SegmentReference>>> {
    let Some(mask) = &case.mask else { return Ok(None) };
    if crate::input::open(mask)?.format() != FileFormat::Dicom {
        return Ok(None);
    }
    let Some(MaskFile::Segmentation(segmentation)) = MaskFile::find(mask)? else { return Ok(None) };
    let regions = segmentation.regions();
    let number = |origin: Option<u32>| match (roi(arguments, case), regions) {
        (Some(name), _) => regions.iter().find(|region| region.name == name).map(|region| region.number),
        // The only region of a file has the label 1.
        (None, [only]) => Some(only.number),
        (None, _) => regions.iter().find(|region| origin == Some(region.label)).map(|region| region.number),
    };
    let reference = |region: &ReportedRegion| {
        let number = number(region.region.origin).and_then(|number| u32::try_from(number).ok());
        let number =
            number.context("--sr refers to segments; a union of several has none, so extract them by themselves")?;
        Ok(SegmentReference::of(&segmentation, number)?)
    };
    reported.iter().map(reference).collect::<Result<_>>().map(Some)
}

/// Writes the regions of a mask as a segmentation, to which the report can refer.
fn write_segmentation(
    path: &Path,
    source: &SourceImages,
    reported: &[ReportedRegion],
    names: &[String],
) -> Result<Vec<SegmentReference>> {
    let segments: Vec<Segment> = (1..).zip(names).map(|(label, name)| Segment::new(label, name)).collect();
    let mask = numbered(reported, names)?;
    let params = SegmentationParams::default().with_segments(segments).with_series(DerivedSeries::new("Regions"));
    let bytes = params.check()?.encode(&mask, source)?;
    crate::output::write_file(path, &bytes)?;
    let segmentation = Segmentation::from_bytes(&bytes)?;
    (1..).zip(reported).map(|(number, _)| Ok(SegmentReference::of(&segmentation, number)?)).collect()
}

/// The regions in one mask, each with its place from 1.
fn numbered(reported: &[ReportedRegion], names: &[String]) -> Result<LabelMap> {
    let first = reported.first().context("--sr needs a region")?;
    let mut numbered = first.mask.map(|_| 0u32);
    for ((place, region), name) in (1u32..).zip(reported).zip(names) {
        for (to, &voxel) in numbered.as_mut_slice().iter_mut().zip(region.mask.as_slice()) {
            if voxel == region.region.label {
                ensure!(*to == 0, "the region {name:?} overlaps with another; report them one by one, by --roi");
                *to = place;
            }
        }
    }
    Ok(numbered)
}

fn algorithm(arguments: &ExtractArgs) -> &'static str {
    match arguments.profile {
        Profile::Pyradiomics => "alnm extract, profile pyradiomics",
        Profile::Ibsi => "alnm extract, profile ibsi",
    }
}

/// The settings, and a hash of all that decides about the values.
fn parameter_texts(arguments: &ExtractArgs) -> Result<Vec<String>> {
    let file = match &arguments.param {
        Some(path) => std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?,
        None => Vec::new(),
    };
    let mut hash = Fingerprint::default();
    hash.bytes(algorithm(arguments).as_bytes());
    hash.bytes(&file);
    arguments.setting.iter().for_each(|setting| hash.bytes(setting.as_bytes()));
    let digest = hash.digits();
    let hash = format!("sha256 of profile, parameter file and settings: {digest}");
    Ok(arguments.setting.iter().map(|setting| format!("setting {setting}")).chain([hash]).collect())
}

/// A feature under its code of the IBSI, or where that defines none under the name of PyRadiomics, as
/// pyradiomics-dcm names it.
fn measurement(feature: &ComputedFeature, has_hounsfield_units: bool) -> MeasuredValue {
    let concept = match feature.ibsi {
        Some(code) => CodedConcept::new(code, "IBSI", feature.name.as_str()),
        None => CodedConcept::new(feature.name.as_str(), "99PYRADIOMICS", feature.name.as_str()),
    };
    MeasuredValue::new(concept, feature.value, unit(feature, has_hounsfield_units), feature.column.as_str())
}

/// What a feature is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Length,
    Area,
    Volume,
    PerLength,
    Intensity,
    IntensitySquared,
}

/// Features that have a unit, by their code of the IBSI.
const DIMENSIONS_BY_CODE: &[(&str, Dimension)] = &[
    ("RNU0", Dimension::Volume),
    ("YEKZ", Dimension::Volume),
    ("C0JK", Dimension::Area),
    ("2PR5", Dimension::PerLength),
    ("KLMA", Dimension::Length),
    ("L0JK", Dimension::Length),
    ("TDIC", Dimension::Length),
    ("P9VJ", Dimension::Length),
    ("7J51", Dimension::Length),
    ("VJGA", Dimension::Intensity),
    ("0F91", Dimension::Intensity),
    ("Q4LE", Dimension::Intensity),
    ("ECT3", Dimension::IntensitySquared),
    ("Y12H", Dimension::Intensity),
    ("1GSF", Dimension::Intensity),
    ("QG58", Dimension::Intensity),
    ("8DWT", Dimension::Intensity),
    ("84IY", Dimension::Intensity),
    ("SALO", Dimension::Intensity),
    ("2OJQ", Dimension::Intensity),
    ("4FUA", Dimension::Intensity),
    ("1128", Dimension::Intensity),
    ("N72L", Dimension::Intensity),
    ("N8CA", Dimension::IntensitySquared),
    ("5ZWQ", Dimension::Intensity),
];

/// Features of PyRadiomics alone that have a unit, by the end of their column.
const DIMENSIONS_BY_NAME: &[(&str, Dimension)] = &[
    ("_shape_Maximum2DDiameterSlice", Dimension::Length),
    ("_shape_Maximum2DDiameterColumn", Dimension::Length),
    ("_shape_Maximum2DDiameterRow", Dimension::Length),
    ("_shape2D_MeshSurface", Dimension::Area),
    ("_shape2D_PixelSurface", Dimension::Area),
    ("_shape2D_Perimeter", Dimension::Length),
    ("_shape2D_PerimeterSurfaceRatio", Dimension::PerLength),
    ("_shape2D_MaximumDiameter", Dimension::Length),
    ("_shape2D_MajorAxisLength", Dimension::Length),
    ("_shape2D_MinorAxisLength", Dimension::Length),
    ("_firstorder_StandardDeviation", Dimension::Intensity),
];

/// The unit of a feature in UCUM. Intensities of a CT image have Hounsfield units, those of other or filtered images
/// none that is known.
fn unit(feature: &ComputedFeature, has_hounsfield_units: bool) -> CodedConcept {
    let by_code = DIMENSIONS_BY_CODE.iter().find(|(code, _)| feature.ibsi == Some(code));
    let by_name = || DIMENSIONS_BY_NAME.iter().find(|(name, _)| feature.column.ends_with(name));
    let dimension = by_code.or_else(by_name).map(|(_, dimension)| *dimension);
    let is_hounsfield = has_hounsfield_units && feature.is_of_image;
    let (code, meaning) = match dimension {
        Some(Dimension::Length) => ("mm", "millimeter"),
        Some(Dimension::Area) => ("mm2", "square millimeter"),
        Some(Dimension::Volume) => ("mm3", "cubic millimeter"),
        Some(Dimension::PerLength) => ("/mm", "per millimeter"),
        Some(Dimension::Intensity) if is_hounsfield => ("[hnsf'U]", "Hounsfield unit"),
        Some(Dimension::IntensitySquared) if is_hounsfield => ("[hnsf'U]2", "square Hounsfield unit"),
        _ => ("1", "no units"),
    };
    CodedConcept::new(code, "UCUM", meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(column: &str, ibsi: Option<&'static str>, is_of_image: bool) -> ComputedFeature {
        ComputedFeature { column: column.to_owned(), value: 1.0, ibsi, name: column.to_owned(), is_of_image }
    }

    #[test]
    fn features_have_their_units() {
        let unit = |column, ibsi, is_of_image| unit(&feature(column, ibsi, is_of_image), true).value;
        assert_eq!(unit("original_shape_VoxelVolume", Some("YEKZ"), true), "mm3");
        assert_eq!(unit("original_shape_Maximum2DDiameterRow", None, true), "mm");
        assert_eq!(unit("original_firstorder_Mean", Some("Q4LE"), true), "[hnsf'U]");
        assert_eq!(unit("wavelet-LLH_firstorder_Mean", Some("Q4LE"), false), "1");
        assert_eq!(unit("original_glcm_Contrast", Some("ACUI"), true), "1");
    }

    #[test]
    fn the_segmentation_stands_beside_the_report() {
        assert_eq!(segmentation_path(Path::new("a/b.sr.dcm")), Path::new("a/b.seg.dcm"));
        assert_eq!(segmentation_path(Path::new("b.dcm")), Path::new("b.seg.dcm"));
        assert_eq!(segmentation_path(Path::new("b")), Path::new("b.seg.dcm"));
    }
}

//! DICOM objects that `alnm convert` writes for the images of a series.

use std::path::{Path, PathBuf};

use alnm_imaging::dicom::{
    ColourPage, ContourHoles, DerivedSeries, MaskFile, ParametricMapParams, Segment, SegmentationKind,
    SegmentationParams, SourceImages, StructureSetParams,
};
use alnm_imaging::mask::{MaskParams, MaskRegion, RegionChoice};
use alnm_imaging::{FileFormat, LabelMap, region};
use anyhow::{Context, ensure};
use clap::ValueEnum;
use serde::Deserialize;

use crate::exit::wrong_use;
use crate::input::{MaskDrawing, SeriesChoice, Tell, noted};
use crate::interrupt::while_writing;
use crate::output::warn;

/// What kind of object a file becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectKind {
    /// Segmentation of one bit for each voxel and segment.
    Seg,
    /// Segmentation of shares of voxels.
    FractionalSeg,
    /// Segmentation that holds segment numbers.
    LabelmapSeg,
    /// Structure set (RTSTRUCT) of contours.
    Rtstruct,
    /// Parametric map of real numbers.
    Map,
    /// Secondary capture of a page, from a portable pixmap (.ppm).
    Page,
}

impl ObjectKind {
    /// The kind that a file name says: `.seg.dcm`, `.rtstruct.dcm`, `.map.dcm` or `.page.dcm`; none for a name that
    /// does not end in `.dcm`.
    pub(crate) fn of_name(path: &Path) -> anyhow::Result<Option<Self>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let Some(stem) = name.strip_suffix(".dcm") else { return Ok(None) };
        Ok(Some(match stem.rsplit_once('.').map_or("", |(_, kind)| kind) {
            "seg" => Self::Seg,
            "rtstruct" | "rtss" => Self::Rtstruct,
            "map" => Self::Map,
            "page" => Self::Page,
            _ => {
                return Err(wrong_use(format!(
                    "{} does not say what DICOM object it is; name it .seg.dcm, .rtstruct.dcm, .map.dcm or .page.dcm, or say \
                     --object",
                    path.display()
                )));
            }
        }))
    }

    fn segmentation_kind(self) -> SegmentationKind {
        match self {
            Self::FractionalSeg => SegmentationKind::Fractional,
            Self::LabelmapSeg => SegmentationKind::LabelMap,
            _ => SegmentationKind::Binary,
        }
    }
}

/// How contours leave out holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Holes {
    Keyhole,
    Xor,
}

/// The options of DICOM objects.
#[derive(Debug, clap::Args)]
pub(crate) struct ObjectOptions {
    /// Kind of DICOM object to write; else what the name of the output says (.seg.dcm, .rtstruct.dcm, .map.dcm,
    /// .page.dcm).
    #[arg(long, value_enum, value_name = "KIND")]
    object: Option<ObjectKind>,
    /// Names and codes of the segments of a segmentation: a JSON file as dcmqi takes it.
    #[arg(long, value_name = "FILE")]
    segments: Option<PathBuf>,
    /// How the contours of a structure set leave out holes.
    #[arg(long, value_enum, default_value_t = Holes::Keyhole)]
    holes: Holes,
}

/// What an object is made from.
pub(crate) struct ObjectInput<'a> {
    pub(crate) input: &'a Path,
    /// The series for which the object is written.
    pub(crate) like: Option<&'a Path>,
    pub(crate) choice: &'a SeriesChoice,
    pub(crate) drawing: MaskDrawing,
    pub(crate) region: Option<RegionChoice>,
    pub(crate) description: Option<&'a str>,
}

impl ObjectOptions {
    /// The kind of object that is asked for; none when the output is no DICOM object.
    pub(crate) fn kind(&self, output: &Path) -> anyhow::Result<Option<ObjectKind>> {
        if self.object.is_some() {
            let suffix = output.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
            return match suffix.as_deref() {
                None | Some("dcm") => Ok(self.object),
                Some(_) => Err(wrong_use(format!(
                    "--object writes a DICOM object, and {} is the name of another file; let it end in .dcm",
                    output.display()
                ))),
            };
        }
        ObjectKind::of_name(output)
    }

    /// Reads the input and writes the object.
    pub(crate) fn write(&self, kind: ObjectKind, input: &ObjectInput<'_>, output: &Path) -> anyhow::Result<()> {
        let unnamed = || wrong_use("a DICOM object belongs to the images of a series; name their folder with --like");
        let like = input.like.ok_or_else(unnamed)?;
        let source = source_images(like, input.choice, &|odd| warn(odd))?;
        let mut series = DerivedSeries::default();
        if let Some(description) = input.description {
            series = series.with_description(description);
        }
        match kind {
            ObjectKind::Seg | ObjectKind::FractionalSeg | ObjectKind::LabelmapSeg => {
                let Mask { labels, regions } = Mask::read(input, &source)?;
                let segments = match &self.segments {
                    Some(path) => segment_descriptions(path)?,
                    None => regions.iter().map(|region| Segment::new(region.label, name_of(region))).collect(),
                };
                let params = SegmentationParams::default().with_kind(kind.segmentation_kind()).with_series(series);
                let params = params.with_segments(segments).check()?;
                let _whole = while_writing();
                params.write(output, &labels, &source)?;
            }
            ObjectKind::Rtstruct => {
                let Mask { labels, regions } = Mask::read(input, &source)?;
                let holes = match self.holes {
                    Holes::Keyhole => ContourHoles::Keyhole,
                    Holes::Xor => ContourHoles::ExclusiveOr,
                };
                let named = regions.iter().map(|region| MaskRegion::new(region.label, region.number, name_of(region)));
                let params = StructureSetParams::default().with_regions(named).with_holes(holes).with_series(series);
                let params = params.check()?;
                let _whole = while_writing();
                params.write(output, &labels, &source)?;
            }
            ObjectKind::Map => {
                let map = crate::input::open(input.input)?.read_image()?.cast::<f32>();
                let explanation = input.description.unwrap_or("Value");
                let params = ParametricMapParams::new(explanation).with_series(series).check()?;
                let _whole = while_writing();
                params.write(output, &map, &source)?;
            }
            ObjectKind::Page => {
                let bytes =
                    std::fs::read(input.input).with_context(|| format!("cannot read {}", input.input.display()))?;
                let page = ColourPage::from_pixmap(&bytes).with_context(|| input.input.display().to_string())?;
                let _whole = while_writing();
                page.write(output, &source, &series)?;
            }
        }
        Ok(())
    }
}

/// Writes a mask as a segmentation or a structure set for the series of an image: a lesion, whose label is 1, or several
/// labels.
pub(crate) fn write_lesion(
    kind: ObjectKind,
    mask: &LabelMap,
    series: &Path,
    choice: &SeriesChoice,
    output: &Path,
) -> anyhow::Result<()> {
    let labels = region::labels(mask, usize::MAX);
    let name = |label: u32| if labels == [1] { "Lesion".to_owned() } else { format!("label {label}") };
    let source = source_images(series, choice, &|odd| warn(odd))?;
    let _whole = while_writing();
    match kind {
        ObjectKind::Seg | ObjectKind::FractionalSeg | ObjectKind::LabelmapSeg => {
            let params = SegmentationParams::default().with_kind(kind.segmentation_kind());
            params
                .with_segments(labels.iter().map(|&label| Segment::new(label, name(label))))
                .check()?
                .write(output, mask, &source)?;
        }
        ObjectKind::Rtstruct => {
            let params = StructureSetParams::default()
                .with_regions((1..).zip(&labels).map(|(number, &label)| MaskRegion::new(label, number, name(label))));
            params.check()?.write(output, mask, &source)?;
        }
        ObjectKind::Map | ObjectKind::Page => {
            let refused = format!("{} would be no mask; name it .seg.dcm or .rtstruct.dcm", output.display());
            return Err(wrong_use(refused));
        }
    }
    Ok(())
}

/// The images of the series in a folder, or in a file; of a dynamic series the phase that is chosen, or the first.
/// `tell` is told what was odd.
pub(crate) fn source_images(path: &Path, choice: &SeriesChoice, tell: Tell<'_>) -> anyhow::Result<SourceImages> {
    let source = crate::input::open(path)?;
    ensure!(
        source.format() == FileFormat::Dicom,
        "{} is no DICOM series; objects refer to the images of one",
        path.display()
    );
    let folder = source.dicom_folder()?;
    Ok(SourceImages::of(choice.of(&folder, tell)?.as_ref(), choice.phase.unwrap_or(1))?)
}

/// A mask on the grid of the source, and the regions whose labels it holds.
struct Mask {
    labels: LabelMap,
    regions: Vec<MaskRegion>,
}

impl Mask {
    fn read(input: &ObjectInput<'_>, source: &SourceImages) -> anyhow::Result<Self> {
        let mut params = input.drawing.apply(MaskParams::default()).with_grid(source.geometry().clone());
        params.region.clone_from(&input.region);
        let stated = &source.attributes().frame_of_reference_uid;
        params.frame_of_reference = Some(stated.clone()).filter(|uid| !uid.is_empty());
        let reader = params.check()?;
        let file = crate::input::open(input.input)?;
        let dicom_mask = if file.format() == FileFormat::Dicom { MaskFile::find(input.input)? } else { None };
        let labels = noted(match &dicom_mask {
            Some(mask) => reader.draw_with_notes(mask)?,
            None => reader.read_with_notes(file)?,
        });
        let present = region::labels(&labels, usize::MAX);
        let named = dicom_mask.map_or_else(Vec::new, |mask| mask.regions());
        let chosen = |region: &&MaskRegion| match &input.region {
            Some(RegionChoice::Name(name)) => region.name == *name,
            Some(RegionChoice::Number(number)) => region.number == *number,
            // A choice of another kind is one that this program does not offer.
            None | Some(_) => true,
        };
        let named: Vec<MaskRegion> = named.iter().filter(chosen).cloned().collect();
        // One region alone has the label 1, whatever its place in the file.
        let region_of = |&label: &u32| match named.as_slice() {
            [only] => MaskRegion::new(label, only.number, &*only.name),
            several => several
                .iter()
                .find(|region| region.label == label)
                .cloned()
                .unwrap_or_else(|| MaskRegion::new(label, i64::from(label), "")),
        };
        Ok(Self { regions: present.iter().map(region_of).collect(), labels })
    }
}

/// The region's name, or one made of its label.
fn name_of(region: &MaskRegion) -> String {
    if region.name.trim().is_empty() { format!("Region {}", region.label) } else { region.name.clone() }
}

/// The segments of a description as dcmqi takes it: lists of segments, one list for each file of labels.
fn segment_descriptions(path: &Path) -> anyhow::Result<Vec<Segment>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Description {
        segment_attributes: Vec<Vec<Segment>>,
    }
    let text = crate::input::read_text(path)?;
    let description: Description = serde_json::from_str(&text)
        .with_context(|| format!("{} is no description of segments as dcmqi takes it", path.display()))?;
    Ok(description.segment_attributes.into_iter().flatten().collect())
}

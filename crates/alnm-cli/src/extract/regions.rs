//! The images and the masks of a case, and the regions in them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use alnm_imaging::dicom::{MaskFile, Series};
use alnm_imaging::file::Source;
use alnm_imaging::mask::{Mask, MaskNote, MaskParams, MaskRef, MaskRegion, RegionChoice};
use alnm_imaging::region::{Connectivity, connected_components};
use alnm_imaging::{FileFormat, Geometry, Image, LabelMap, Volume, region, with_labels};
use anyhow::{Context, Result, bail, ensure};

use super::arguments::{ExtractArgs, WantedRegions};
use super::batch::Case;
use super::engine::Engine;
use super::log::Log;
use super::table::{Row, RowValue};
use crate::cases::is_list;
use crate::exit::require;
use crate::input::SeriesChoice;

/// The columns that say which image and region a row is of, where the command line asks for them.
pub(super) const REGION_COLUMNS: [&str; 11] = [
    "PatientID",
    "StudyInstanceUID",
    "StudyDate",
    "SeriesInstanceUID",
    "SeriesNumber",
    "SeriesDescription",
    "Modality",
    PHASE,
    LABEL,
    SEGMENT,
    COMPONENT,
];

/// How many of them describe a DICOM series.
const SERIES_COLUMNS: usize = 7;
const PHASE: &str = "Phase";
const LABEL: &str = "Label";
/// The name of a region, where the mask names its regions.
pub(super) const SEGMENT: &str = "Segment";
const COMPONENT: &str = "Component";

/// The files of a case, opened.
pub(super) struct CaseFiles {
    pub(super) image: Source,
    /// None where the region is the whole image.
    pub(super) mask: Option<Source>,
}

/// The images and the masks of a case.
pub(super) struct CaseContent {
    pub(super) images: CaseImages,
    pub(super) masks: CaseMasks,
}

/// The images of a case.
pub(super) enum CaseImages {
    /// The only one, and what is told of its series.
    Single { image: Box<Image>, columns: Row },
    /// The phases of a dynamic series, which are read one after the other.
    Phases { series: Box<Series>, columns: Row },
}

/// The masks of a case, which are taken one after the other.
pub(super) enum CaseMasks {
    /// Label maps: one, or the layers of a segmentation.
    Labelled(Vec<LabelledMask>),
    /// Regions of a structure set or segmentation, which may overlap and are drawn when their turn comes.
    Drawn { file: Box<MaskFile>, regions: Vec<MaskRegion>, params: Box<MaskParams>, smallest_part: Option<usize> },
}

/// A mask with regions of which each has a label of its own.
#[derive(Clone)]
pub(super) struct LabelledMask {
    pub(super) mask: Mask,
    pub(super) regions: Vec<CaseRegion>,
    /// What is worth knowing about how they were drawn.
    pub(super) remarks: Vec<String>,
}

/// A region of a case: the voxels of one label.
#[derive(Clone)]
pub(super) struct CaseRegion {
    pub(super) label: u32,
    /// The label that it has in the file; none of a union.
    pub(super) origin: Option<u32>,
    /// What tells the region from the others of its case, by the names of [`REGION_COLUMNS`].
    pub(super) columns: Row,
}

impl CaseRegion {
    /// The name in the columns of one row for all regions: that of the mask, or its number.
    pub(super) fn column_name(&self) -> String {
        let component = self.columns.iter().find(|(column, _)| column == COMPONENT);
        let part = component.map_or_else(String::new, |(_, number)| format!("part{}", number.text()));
        self.name().unwrap_or_else(|| format!("label{}", self.origin.unwrap_or(self.label))) + &part
    }

    /// The name by which the mask or the command line calls it; none where it has but a number.
    pub(super) fn name(&self) -> Option<String> {
        let named =
            |wanted: &str| self.columns.iter().find(|(column, _)| column == wanted).map(|(_, name)| name.text());
        named(SEGMENT).or_else(|| named(LABEL).filter(|label| label.parse::<u32>().is_err()))
    }
}

/// What one row is computed from.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    /// The number of the case.
    pub(super) number: usize,
    pub(super) image: &'a Image,
    pub(super) mask: MaskRef<'a>,
    pub(super) label: u32,
    /// What tells the row from the others of its case, by the names of [`REGION_COLUMNS`].
    pub(super) columns: &'a Row,
}

/// Everything on the command line that decides which images and regions a case has, as text.
pub(super) fn description(arguments: &ExtractArgs) -> String {
    let ExtractArgs { roi, roi_number, labels, label, components, slice_means, whole_image, .. } = arguments;
    let ExtractArgs { choice, drawing, all_phases, dicom_columns, .. } = arguments;
    let regions = (roi, roi_number, labels, label, components, slice_means, whole_image, &arguments.mask_volume);
    format!("{:?}", (regions, choice, drawing, all_phases, dicom_columns))
}

/// The option by which the rows themselves bring a column that a batch may have too.
pub(super) fn brought_by(arguments: &ExtractArgs, name: &str) -> Option<&'static str> {
    let (option, is_set) = match name {
        PHASE => ("--all-phases", arguments.all_phases),
        LABEL => ("--labels", arguments.labels.is_some()),
        COMPONENT => ("--components", arguments.components.is_some()),
        _ if REGION_COLUMNS[..SERIES_COLUMNS].contains(&name) => ("--dicom-columns", arguments.dicom_columns),
        _ => return None,
    };
    is_set.then_some(option)
}

/// The columns of the batch that stand in front of each row of a case: those that the rows do not bring themselves.
pub(super) fn inputs(arguments: &ExtractArgs, case: &Case) -> Row {
    case.columns.iter().filter(|(name, _)| brought_by(arguments, name).is_none()).cloned().collect()
}

fn text(name: &str, value: impl Into<String>) -> (String, RowValue) {
    (name.to_owned(), RowValue::Text(value.into()))
}

/// The phase, the label and the part of a row, where it has them.
fn telling(columns: &Row) -> impl Iterator<Item = &(String, RowValue)> {
    columns.iter().filter(|(column, _)| [PHASE, LABEL, COMPONENT].contains(&column.as_str()))
}

/// How names of files tell a row from others of its case; empty where a case has only one.
pub(super) fn file_part(columns: &Row) -> String {
    let part = |(column, value): &(String, RowValue)| {
        let kind = if column == LABEL { String::new() } else { column.to_lowercase() };
        format!("_{kind}{}", value.text())
    };
    telling(columns).map(part).collect()
}

/// How messages name a row of a case by its own columns; empty where a case has only one.
pub(super) fn row_name(columns: &Row) -> String {
    let telling = telling(columns);
    let parts: Vec<String> =
        telling.map(|(column, value)| format!("{} {}", column.to_lowercase(), value.text())).collect();
    parts.join(", ")
}

impl CaseFiles {
    /// Opens image and mask, each once.
    pub(super) fn open(case: &Case) -> Result<Self> {
        Ok(Self {
            image: crate::input::open(&case.image)?,
            mask: case.mask.as_deref().map(crate::input::open).transpose()?,
        })
    }
}

impl CaseImages {
    /// The image of a file, or the image or the phases of a DICOM series. Returns also the coordinates that the series
    /// states.
    fn read(arguments: &ExtractArgs, case: &Case, source: Source, log: &Log) -> Result<(Self, Option<String>)> {
        let tell = |odd: &str| log.warning(format_args!("case {}: {odd}", case.number));
        if source.format() != FileFormat::Dicom {
            require(!arguments.all_phases, "--all-phases needs a DICOM folder or file as image")?;
            // A list may hold images of several formats.
            require(
                arguments.choice.phase.is_none() || is_list(&arguments.input),
                "--phase needs a DICOM folder or file as image; --volume chooses a volume of another file",
            )?;
            // Where a list has columns Series and Phase for images of other formats, they say nothing to this program.
            let mut choice = arguments.choice.clone();
            choice.volume = case.volume_number()?.or(choice.volume);
            let image = Box::new(choice.read_source(source, &tell)?);
            return Ok((Self::Single { image, columns: Row::new() }, None));
        }
        let choice = series_choice(arguments, case)?;
        let folder = source.dicom_folder()?;
        let series = choice.of(&folder, &tell)?;
        let frame_of_reference = series.frame_of_reference().map(str::to_owned);
        let columns = if arguments.dicom_columns { series_columns(&series) } else { Row::new() };
        if arguments.all_phases {
            ensure!(
                series.phase_count() > 0,
                "the series has volumes that are no phases; --phases-by says what tells phases apart"
            );
            return Ok((Self::Phases { series: Box::new(series.into_owned()), columns }, frame_of_reference));
        }
        let image = Box::new(match choice.phase {
            Some(number) => series.phase(number)?,
            None => series.image()?,
        });
        Ok((Self::Single { image, columns }, frame_of_reference))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Single { .. } => 1,
            Self::Phases { series, .. } => series.phase_count(),
        }
    }

    /// The grid that all share.
    fn geometry(&self) -> Result<&Geometry> {
        match self {
            Self::Single { image, .. } => Ok(image.geometry()),
            Self::Phases { series, .. } => Ok(series.geometry()?),
        }
    }

    /// An image, by its place from 0.
    pub(super) fn image(&self, place: usize) -> Result<Cow<'_, Image>> {
        match self {
            Self::Single { image, .. } => Ok(Cow::Borrowed(image)),
            Self::Phases { series, .. } => Ok(Cow::Owned(series.phase(place + 1)?)),
        }
    }

    /// What is told of an image, by the names of [`REGION_COLUMNS`].
    pub(super) fn columns(&self, place: usize) -> Row {
        match self {
            Self::Single { columns, .. } => columns.clone(),
            Self::Phases { columns, .. } => {
                columns.iter().cloned().chain([text(PHASE, (place + 1).to_string())]).collect()
            }
        }
    }
}

/// Which image of a DICOM series is meant: by the columns of a list where it has them, else by the command line.
pub(super) fn series_choice(arguments: &ExtractArgs, case: &Case) -> Result<SeriesChoice> {
    let mut choice = arguments.choice.clone();
    choice.phase = case.phase_number()?.or(choice.phase);
    choice.series = case.series.clone().or(choice.series);
    choice.volume = case.volume_number()?.or(choice.volume);
    Ok(choice)
}

/// The region that is meant by its name or number: by the column of a list where it has one, else by the command line.
fn region_choice(arguments: &ExtractArgs, case: &Case) -> Option<RegionChoice> {
    let name = case.roi.as_deref().or(arguments.roi.as_deref());
    name.map(RegionChoice::from).or(arguments.roi_number.map(RegionChoice::from))
}

/// What identifies a series, by DICOM's keywords.
fn series_columns(series: &Series) -> Row {
    let values = [
        series.patient_id().to_owned(),
        series.study_uid().to_owned(),
        series.study_date().to_owned(),
        series.uid().to_owned(),
        series.number().map_or_else(String::new, |number| number.to_string()),
        series.description().to_owned(),
        series.modality().to_owned(),
    ];
    REGION_COLUMNS.iter().zip(values).map(|(name, value)| text(name, value)).collect()
}

impl CaseContent {
    /// Reads a case and finds its regions.
    pub(super) fn read(
        arguments: &ExtractArgs,
        engine: &Engine,
        case: &Case,
        files: CaseFiles,
        log: &Log,
    ) -> Result<Self> {
        let CaseFiles { image, mask } = files;
        let Some(mask) = mask else {
            let (images, _) = CaseImages::read(arguments, case, image, log)?;
            let masks = CaseMasks::of_whole(images.geometry()?, engine.label());
            return Ok(Self { images, masks });
        };
        if mask.format() == FileFormat::Dicom {
            let (images, frame_of_reference) = CaseImages::read(arguments, case, image, log)?;
            let mut params = arguments.drawing.apply(MaskParams::default());
            params.grid = Some(images.geometry()?.clone());
            params.frame_of_reference = frame_of_reference;
            let masks = CaseMasks::of_dicom(arguments, engine, case, mask, params, log)?;
            return Ok(Self { images, masks });
        }
        let (images, masks) = rayon::join(
            || CaseImages::read(arguments, case, image, log),
            || CaseMasks::of_label_map(arguments, engine, case, mask, log),
        );
        Ok(Self { images: images?.0, masks: masks? })
    }
}

impl CaseMasks {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Labelled(masks) => masks.len(),
            Self::Drawn { regions, .. } => regions.len(),
        }
    }

    /// A mask, by its place from 0, with its regions.
    pub(super) fn mask(&self, place: usize) -> Result<Cow<'_, LabelledMask>> {
        match self {
            Self::Labelled(masks) => Ok(Cow::Borrowed(&masks[place])),
            Self::Drawn { file, regions, params, smallest_part } => {
                let region = CaseRegion {
                    label: 1,
                    origin: Some(regions[place].label),
                    columns: region_columns(&regions[place]),
                };
                let reader =
                    MaskParams::clone(params).with_region(RegionChoice::Number(regions[place].number)).check()?;
                let drawn = reader.draw_with_notes(file)?;
                let masked = LabelledMask::new(drawn.mask.into(), vec![region], *smallest_part)?;
                Ok(Cow::Owned(LabelledMask { remarks: texts(&drawn.notes), ..masked }))
            }
        }
    }

    /// What is told of a mask that cannot be had.
    pub(super) fn columns(&self, place: usize) -> Row {
        match self {
            Self::Labelled(_) => Row::new(),
            Self::Drawn { regions, .. } => region_columns(&regions[place]),
        }
    }

    /// A mask that covers all of a grid.
    fn of_whole(grid: &Geometry, label: u32) -> Self {
        let mask = Volume::filled(grid.clone(), label).into();
        let region = CaseRegion { label, origin: None, columns: Row::new() };
        Self::Labelled(vec![LabelledMask { mask, regions: vec![region], remarks: Vec::new() }])
    }

    /// The regions of a structure set or segmentation on the image's grid. Where several are asked for, each is drawn
    /// by itself, since they may overlap.
    fn of_dicom(
        arguments: &ExtractArgs,
        engine: &Engine,
        case: &Case,
        source: Source,
        mut params: MaskParams,
        log: &Log,
    ) -> Result<Self> {
        let path = source.path().to_owned();
        let file = if source.is_folder() {
            MaskFile::find(&path)?
        } else {
            source.dicom_folder()?.into_masks().into_iter().next()
        };
        let choice = region_choice(arguments, case);
        let Some(file) = file else {
            // A DICOM image whose voxels are labels.
            params.region = choice;
            let mask = params.check()?.read_narrow(crate::input::open(&path)?)?;
            return Ok(Self::Labelled(vec![LabelledMask::of_labels(arguments, engine, case, mask)?]));
        };
        let smallest_part = arguments.components;
        if choice.is_some() {
            params.region = choice;
            let drawn = params.check()?.draw_with_notes(&file)?;
            let region = CaseRegion { label: 1, origin: None, columns: Row::new() };
            let masked = LabelledMask::new(drawn.mask.into(), vec![region], smallest_part)?;
            return Ok(Self::Labelled(vec![LabelledMask { remarks: texts(&drawn.notes), ..masked }]));
        }
        let all = file.regions();
        tell_of_others(arguments, engine, case, log, &labels_and_names(&all));
        let label = case.label_number()?.unwrap_or_else(|| engine.label());
        let regions = match &arguments.labels {
            Some(WantedRegions::Listed(labels)) => wanted(&all, labels)?,
            // The only region has the label 1, whatever its number.
            None if all.len() == 1 && label == 1 => all,
            None => wanted(&all, &[label])?,
            Some(_) => all,
        };
        // The parts of a union are not the union of parts.
        let of_each = smallest_part.filter(|_| arguments.labels != Some(WantedRegions::Union));
        let drawn = Self::Drawn { file: Box::new(file), regions, params: Box::new(params), smallest_part: of_each };
        match &arguments.labels {
            Some(WantedRegions::Union) => {
                let LabelledMask { mask, regions, remarks } = drawn.united()?;
                let masked = LabelledMask::new(mask, regions, smallest_part)?;
                Ok(Self::Labelled(vec![LabelledMask { remarks, ..masked }]))
            }
            Some(_) => Ok(drawn),
            None => {
                let mut masked = drawn.mask(0)?.into_owned();
                masked.regions.iter_mut().for_each(|region| region.columns.retain(|(name, _)| name == COMPONENT));
                Ok(Self::Labelled(vec![masked]))
            }
        }
    }

    /// All regions as one.
    fn united(&self) -> Result<LabelledMask> {
        let mut union: Option<Volume<u8>> = None;
        let mut remarks = Vec::new();
        for place in 0..self.count() {
            let masked = self.mask(place)?.into_owned();
            remarks.extend(masked.remarks);
            let other = all_labels(masked.mask.borrowed());
            match &mut union {
                None => union = Some(other),
                Some(union) => {
                    let voxels = union.as_mut_slice().iter_mut().zip(other.as_slice());
                    voxels.for_each(|(voxel, other)| *voxel |= other);
                }
            }
        }
        let Some(mask) = union else { bail!("the mask holds no region") };
        let region = CaseRegion { label: 1, origin: None, columns: vec![text(LABEL, "union")] };
        Ok(LabelledMask { mask: mask.into(), regions: vec![region], remarks })
    }

    /// The label map of a file. Of a segmentation of Slicer that is stored in layers, `--labels` takes all of them.
    fn of_label_map(arguments: &ExtractArgs, engine: &Engine, case: &Case, source: Source, log: &Log) -> Result<Self> {
        let mut params = MaskParams::default();
        let segments = source.segments()?;
        // The column Roi of a list may describe masks whose regions have no names.
        let names_regions = arguments.roi.is_some() || arguments.roi_number.is_some() || !segments.is_empty();
        params.region = region_choice(arguments, case).filter(|_| names_regions);
        params.channel = case.label_channel_number()?.or(Some(engine.label_channel()));
        params.volume = case.mask_volume_number()?.or(arguments.mask_volume);
        let layers: BTreeSet<usize> = segments.iter().map(|segment| segment.layer).collect();
        let is_whole = matches!(arguments.labels, Some(WantedRegions::EachLabel | WantedRegions::Union));
        if params.region.is_some() || !is_whole || segments.is_empty() || case.label_channel.is_some() {
            if params.region.is_none() {
                let of_layer = segments.iter().filter(|segment| params.channel == Some(segment.layer));
                let named: Vec<_> = of_layer.map(|segment| (segment.label, segment.name.as_str())).collect();
                tell_of_others(arguments, engine, case, log, &named);
            }
            let mask = params.check()?.read_narrow(source)?;
            return Ok(Self::Labelled(vec![LabelledMask::of_labels(arguments, engine, case, mask)?]));
        }
        let path = source.path().to_owned();
        let mut source = Some(source);
        let mut masks = Vec::new();
        for layer in layers {
            let opened = match source.take() {
                Some(opened) => opened,
                None => crate::input::open(&path)?,
            };
            let mask = MaskParams::default().with_channel(layer).check()?.read_narrow(opened)?;
            let of_layer = segments.iter().filter(|segment| segment.layer == layer);
            let regions = of_layer.map(|segment| CaseRegion {
                label: segment.label,
                origin: Some(segment.label),
                columns: vec![text(LABEL, segment.label.to_string()), text(SEGMENT, &segment.name)],
            });
            masks.push((mask, regions.collect()));
        }
        if arguments.labels == Some(WantedRegions::Union) {
            let layer = |(mask, regions)| LabelledMask { mask, regions, remarks: Vec::new() };
            let union = Self::Labelled(masks.into_iter().map(layer).collect()).united()?;
            return Ok(Self::Labelled(vec![LabelledMask::new(union.mask, union.regions, arguments.components)?]));
        }
        let labelled = masks.into_iter().map(|(mask, regions)| LabelledMask::new(mask, regions, arguments.components));
        Ok(Self::Labelled(labelled.collect::<Result<_>>()?))
    }
}

fn texts(notes: &[MaskNote]) -> Vec<String> {
    notes.iter().map(MaskNote::to_string).collect()
}

/// Says which regions a mask holds where the first is taken without anybody having asked for it.
fn tell_of_others(arguments: &ExtractArgs, engine: &Engine, case: &Case, log: &Log, regions: &[(u32, &str)]) {
    let is_chosen = arguments.labels.is_some() || arguments.label.is_some() || case.label.is_some();
    if regions.len() > 1 && !is_chosen && engine.label() == 1 {
        log.warning(format_args!(
            "case {}: the mask holds {}; none is named, so that of label 1 is taken; --roi, --roi-number or --label \
             chooses another, --labels several",
            case.number,
            named_regions(regions)
        ));
    }
}

/// The label and the name of each region.
fn labels_and_names(regions: &[MaskRegion]) -> Vec<(u32, &str)> {
    regions.iter().map(|region| (region.label, region.name.as_str())).collect()
}

/// Labels and names of regions, as text.
fn named_regions(regions: &[(u32, &str)]) -> String {
    let named = regions.iter().map(|(label, name)| format!("{label} {name:?}"));
    named.collect::<Vec<_>>().join(", ")
}

fn region_columns(region: &MaskRegion) -> Row {
    vec![text(LABEL, region.label.to_string()), text(SEGMENT, &region.name)]
}

/// The regions with these labels.
fn wanted(regions: &[MaskRegion], labels: &[u32]) -> Result<Vec<MaskRegion>> {
    let find = |label: &u32| {
        let found = regions.iter().find(|region| region.label == *label).cloned();
        found.with_context(|| {
            format!("label {label} is not in the mask; it holds {}", named_regions(&labels_and_names(regions)))
        })
    };
    labels.iter().map(find).collect()
}

impl LabelledMask {
    /// A mask with these regions, or with `smallest_part` with their connected parts of so many voxels or more.
    fn new(mask: Mask, regions: Vec<CaseRegion>, smallest_part: Option<usize>) -> Result<Self> {
        match smallest_part {
            Some(smallest) => parts_of(&mask.into_label_map(), regions, smallest),
            None => Ok(Self { mask, regions, remarks: Vec::new() }),
        }
    }

    /// The regions that are asked for, of a mask whose labels tell them apart.
    fn of_labels(arguments: &ExtractArgs, engine: &Engine, case: &Case, mask: Mask) -> Result<Self> {
        let named =
            |label: u32| CaseRegion { label, origin: Some(label), columns: vec![text(LABEL, label.to_string())] };
        let (mask, regions) = match &arguments.labels {
            None => {
                let label = case.label_number()?.unwrap_or_else(|| engine.label());
                (mask, vec![CaseRegion { label, origin: Some(label), columns: Row::new() }])
            }
            Some(WantedRegions::Union) => {
                let union = all_labels(mask.borrowed()).into();
                (union, vec![CaseRegion { label: 1, origin: None, columns: vec![text(LABEL, "union")] }])
            }
            Some(WantedRegions::Listed(labels)) => (mask, labels.iter().copied().map(named).collect()),
            Some(WantedRegions::EachLabel) => {
                let regions = mask.borrowed().labels(usize::MAX).into_iter().map(named).collect();
                (mask, regions)
            }
        };
        Self::new(mask, regions, arguments.components)
    }
}

/// The voxels of all labels, as the label 1.
fn all_labels(mask: MaskRef<'_>) -> Volume<u8> {
    with_labels!(mask, labels => labels.map(|&voxel| u8::from(voxel != 0)))
}

/// The connected parts of regions, largest first, with the numbers of all of them in one mask. Parts of fewer than
/// `smallest` voxels are left out.
fn parts_of(mask: &LabelMap, regions: Vec<CaseRegion>, smallest: usize) -> Result<LabelledMask> {
    let mut numbered = mask.map(|_| 0u32);
    let mut parts = Vec::new();
    for CaseRegion { label, origin, columns } in regions {
        region::bounding_box(mask, label)?;
        let components = connected_components(mask, label, Connectivity::Corner);
        let kept = components.sizes.iter().take_while(|&&size| size >= smallest).count();
        ensure!(
            kept > 0,
            "label {label} has {} connected parts, the largest of {} voxels; --components={smallest} asks for more",
            components.sizes.len(),
            components.sizes.first().copied().unwrap_or_default()
        );
        let before = u32::try_from(parts.len())?;
        for (to, &part) in numbered.as_mut_slice().iter_mut().zip(components.map.as_slice()) {
            if (1..=kept).contains(&(part as usize)) {
                *to = before + part;
            }
        }
        parts.extend((1..=u32::try_from(kept)?).map(|part| CaseRegion {
            label: before + part,
            origin,
            columns: columns.iter().cloned().chain([text(COMPONENT, part.to_string())]).collect(),
        }));
    }
    Ok(LabelledMask { mask: numbered.into(), regions: parts, remarks: Vec::new() })
}

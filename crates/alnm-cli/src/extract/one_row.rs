//! All features of a case in one row: every region, every phase, every map.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use alnm_imaging::{Image, LabelMap};
use alnm_radiomics::{DeltaKind, NamedImage, NamedRegion, SeriesExtractor};
use anyhow::{Context, Result, bail, ensure};

use super::arguments::ExtractArgs;
use super::batch::{Case, base_folder};
use super::engine::Engine;
use super::log::Log;
use super::outcome::Success;
use super::regions::{self, CaseContent, CaseImages, LabelledMask};
use super::table::{Row, RowValue};
use crate::input::read_image;
use crate::messages::reasons;

/// The column of a list that names the folder of a case's maps.
const MAPS: &str = "Maps";

/// A row, and how much of it could be had. The log says why.
pub(super) struct OneRow {
    pub(super) row: Row,
    pub(super) success: Success,
}

/// The row of a case.
pub(super) fn of_case(
    arguments: &ExtractArgs,
    engine: &Engine,
    case: &Case,
    content: &CaseContent,
    log: &Log,
) -> Result<OneRow> {
    let extractor =
        SeriesExtractor::new(engine.parameters().clone(), arguments.deltas.iter().map(|delta| delta.kind()));
    let images = phases(&content.images)?;
    let maps = maps_folder(arguments, case).map_or(Ok(Vec::new()), |folder| read_maps(&folder))?;
    let named: Vec<NamedImage<'_>> = images
        .iter()
        .map(|(name, image, time)| match time {
            Some(seconds) => NamedImage::phase(name, image, *seconds),
            None => NamedImage::map(name, image),
        })
        .chain(maps.iter().map(|(name, image)| NamedImage::map(name, image)))
        .collect();
    let masks = (0..content.masks.count())
        .map(|place| content.masks.mask(place))
        .collect::<Result<Vec<Cow<'_, LabelledMask>>>>()?;
    let label_maps: Vec<Cow<'_, LabelMap>> = masks.iter().map(|masked| masked.mask.borrowed().widened()).collect();
    let regions: Vec<(String, &LabelMap, u32)> = masks
        .iter()
        .zip(&label_maps)
        .flat_map(|(masked, mask)| {
            masked.regions.iter().map(move |region| (region.column_name(), mask.as_ref(), region.label))
        })
        .collect();
    ensure!(!regions.is_empty(), "the mask has no region");
    let regions: Vec<NamedRegion<'_>> =
        regions.iter().map(|(name, mask, label)| NamedRegion::new(name, mask, *label)).collect();
    for remark in masks.iter().flat_map(|masked| &masked.remarks) {
        log.warning(format_args!("case {}: {remark}", case.number));
    }
    let found = extractor.row(&named, &regions)?;
    for missing in &found.missing {
        let reason = reasons(&anyhow::Error::msg(missing.error.to_string()));
        log.error(format_args!("case {}, {} in {}: {reason}", case.number, missing.region, missing.image));
    }
    let cells = extractor.columns(&named, &regions).into_iter().zip(found.values.into_iter().map(RowValue::Number));
    let cells: Row = cells.collect();
    let inputs = regions::inputs(arguments, case);
    if let Some((name, _)) = inputs.iter().find(|(name, _)| cells.iter().any(|(column, _)| column == name)) {
        bail!("the list has the column {name}, which the row of results has too; rename or remove it");
    }
    let row = inputs.into_iter().chain(cells).collect();
    Ok(OneRow { row, success: Success::of(found.missing.len(), named.len() * regions.len()) })
}

/// An image of a case with its name, and with its time where it is a phase of a series.
type Phase<'a> = (String, Cow<'a, Image>, Option<f64>);

/// The images of a case.
fn phases(images: &CaseImages) -> Result<Vec<Phase<'_>>> {
    let times: Vec<Option<f64>> = match images {
        CaseImages::Single { .. } => vec![None],
        CaseImages::Phases { series, .. } => series.times()?.into_iter().map(Some).collect(),
    };
    let name = |place: usize| if times.len() > 1 { format!("phase{}", place + 1) } else { "image".to_owned() };
    let of_place = |place: usize| Ok((name(place), images.image(place)?, times[place]));
    (0..images.count()).map(of_place).collect()
}

/// The folder of a case's maps: that of the list, or of the command line.
fn maps_folder(arguments: &ExtractArgs, case: &Case) -> Option<PathBuf> {
    let listed = case.columns.iter().find(|(column, _)| column == MAPS).map(|(_, folder)| folder.text());
    let listed = listed.filter(|folder| !folder.is_empty()).map(|folder| base_folder(arguments).join(folder));
    listed.or_else(|| arguments.maps.clone())
}

/// The images of a folder by the names of their files without suffix, in the order of the names.
fn read_maps(folder: &Path) -> Result<Vec<(String, Image)>> {
    const SUFFIXES: [&str; 4] = [".nii.gz", ".nii", ".nrrd", ".mha"];
    let mut files = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(stem) = SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)) {
            files.push((stem.to_owned(), folder.join(&name)));
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "{} holds no maps: no file ending in {}", folder.display(), SUFFIXES.join(", "));
    files.into_iter().map(|(name, path)| Ok((name, read_image(&path)?))).collect()
}

/// A delta as the command line has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Delta {
    /// Value of each phase less that of the first.
    Difference,
    /// Value of each phase over that of the first.
    Ratio,
    /// Slope per second over all phases.
    Slope,
}

impl Delta {
    fn kind(self) -> DeltaKind {
        match self {
            Self::Difference => DeltaKind::Difference,
            Self::Ratio => DeltaKind::Ratio,
            Self::Slope => DeltaKind::Slope,
        }
    }
}

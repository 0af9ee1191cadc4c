//! The cases to extract: the one of the command line, or those of a CSV file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::arguments::ExtractArgs;
use super::log::Log;
use super::table::{Row, RowValue};
use crate::cases::{ListedCase, Masks, is_list, read_list};
use crate::exit::wrong_use;

/// An image with its mask.
#[derive(Debug)]
pub(super) struct Case {
    /// From 1, in the order of the batch.
    pub(super) number: usize,
    pub(super) image: PathBuf,
    /// None where the region is the whole image.
    pub(super) mask: Option<PathBuf>,
    pub(super) label: Option<u32>,
    pub(super) label_channel: Option<usize>,
    /// Name of the region in a DICOM mask.
    pub(super) roi: Option<String>,
    /// Identifier of the series in a DICOM folder.
    pub(super) series: Option<String>,
    /// Number of the phase of a dynamic DICOM series, as it is written.
    pub(super) phase: Option<String>,
    /// Number of the volume of an image of four dimensions, as it is written.
    pub(super) volume: Option<String>,
    /// Number of the volume of a mask of four dimensions, as it is written.
    pub(super) mask_volume: Option<String>,
    /// The columns of the batch, copied to the output.
    pub(super) columns: Row,
}

impl Case {
    /// The number of the phase of a dynamic DICOM series.
    pub(super) fn phase_number(&self) -> Result<Option<usize>> {
        number_in("Phase", self.phase.as_deref())
    }

    /// The number of the volume of an image of four dimensions.
    pub(super) fn volume_number(&self) -> Result<Option<usize>> {
        number_in("Image_volume", self.volume.as_deref())
    }

    /// The number of the volume of a mask of four dimensions.
    pub(super) fn mask_volume_number(&self) -> Result<Option<usize>> {
        number_in("Mask_volume", self.mask_volume.as_deref())
    }
}

fn number_in(column: &str, text: Option<&str>) -> Result<Option<usize>> {
    let parse = |text: &str| {
        text.parse().with_context(|| format!("the column {column} is {text:?}; it has to be a whole number from 1"))
    };
    text.map(parse).transpose()
}

/// The folder that paths in the output are relative to: that of the batch, or the current one.
pub(super) fn base_folder(arguments: &ExtractArgs) -> PathBuf {
    let folder = if is_list(&arguments.input) { arguments.input.parent() } else { None };
    folder.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The cases of the command line, or of the part of a batch that it asks for.
pub(super) fn read(arguments: &ExtractArgs, log: &Log) -> Result<Vec<Case>> {
    let mut cases = if is_list(&arguments.input) {
        read_batch(arguments, log)?
    } else {
        let mask = arguments.mask.clone();
        if mask.is_none() && !arguments.whole_image {
            return Err(wrong_use(format!(
                "{} is no list of cases, and no mask is given; name the mask after the image, or set --whole-image",
                arguments.input.display()
            )));
        }
        let column = |name: &str, path: &Path| (name.to_owned(), RowValue::Text(path.to_string_lossy().into_owned()));
        let columns = [Some(column("Image", &arguments.input)), mask.as_deref().map(|mask| column("Mask", mask))];
        let columns = columns.into_iter().flatten().collect();
        vec![Case {
            number: 1,
            image: arguments.input.clone(),
            mask,
            label: None,
            label_channel: None,
            roi: None,
            series: None,
            phase: None,
            volume: None,
            mask_volume: None,
            columns,
        }]
    };
    if let Some(shard) = arguments.shard {
        cases.retain(|case| shard.holds(case.number));
    }
    Ok(cases)
}

fn read_batch(arguments: &ExtractArgs, log: &Log) -> Result<Vec<Case>> {
    let shown = arguments.input.display();
    let masks = if arguments.whole_image { Masks::Unused } else { Masks::Needed };
    let list = read_list(&arguments.input, masks)?;
    let lacking = if arguments.whole_image { "no image" } else { "no image or no mask" };
    for line in &list.incomplete {
        log.warning(format_args!("{shown}, line {line}: the case has {lacking} and is left out"));
    }
    let of_row = |(index, row): (usize, ListedCase)| -> Result<Case> {
        let number = |name: &str| -> Result<Option<u32>> {
            let parse = |text: &str| {
                text.parse().with_context(|| {
                    format!("{shown}, line {}: {name} {text} is no whole number; correct the cell", row.line)
                })
            };
            row.field(name).map(parse).transpose()
        };
        Ok(Case {
            number: index + 1,
            label: number("Label")?,
            label_channel: number("Label_channel")?.map(|channel| channel as usize),
            roi: row.field("Roi").map(str::to_owned),
            series: row.field("Series").map(str::to_owned),
            phase: row.field("Phase").map(str::to_owned),
            volume: row.field("Image_volume").map(str::to_owned),
            mask_volume: row.field("Mask_volume").map(str::to_owned),
            columns: row.columns.iter().map(|(name, text)| (name.clone(), RowValue::Text(text.clone()))).collect(),
            image: row.image,
            mask: row.mask,
        })
    };
    list.cases.into_iter().enumerate().map(of_row).collect()
}

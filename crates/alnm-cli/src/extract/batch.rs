//! The cases to extract: the one of the command line, or those of a CSV file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::arguments::ExtractArgs;
use super::log::Log;
use super::reliability::READER;
use super::table::{Row, RowValue};
use crate::cases::{ListedCase, Masks, is_list, read_list};
use crate::exit::{require, wrong_use};

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
        require(arguments.reader_masks.is_empty(), "--reader-masks names columns of a list of cases; name a list")?;
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
    let of_row = |number_of_case: usize, row: ListedCase, reader: Option<&str>| -> Result<Case> {
        let number = |name: &str| -> Result<Option<u32>> {
            let parse = |text: &str| {
                text.parse().with_context(|| {
                    format!("{shown}, line {}: {name} {text} is no whole number; correct the cell", row.line)
                })
            };
            row.field(name).map(parse).transpose()
        };
        Ok(Case {
            number: number_of_case,
            label: number("Label")?,
            label_channel: number("Label_channel")?.map(|channel| channel as usize),
            roi: row.field("Roi").map(str::to_owned),
            series: row.field("Series").map(str::to_owned),
            phase: row.field("Phase").map(str::to_owned),
            volume: row.field("Image_volume").map(str::to_owned),
            mask_volume: row.field("Mask_volume").map(str::to_owned),
            columns: columns(&row, reader),
            image: row.image,
            mask: row.mask,
        })
    };
    if arguments.reader_masks.is_empty() {
        return (1..).zip(list.cases).map(|(number, row)| of_row(number, row, None)).collect();
    }
    let mut cases = Vec::new();
    for (number, row) in (1..).zip(list.cases) {
        for (reader, mask) in masks_of_readers(arguments, &row)? {
            let Some(mask) = mask else {
                log.warning(format_args!("{shown}, line {}: the column {reader} is empty", row.line));
                continue;
            };
            cases.push(of_row(number, ListedCase { mask: Some(mask), ..row.clone() }, Some(&reader))?);
        }
    }
    Ok(cases)
}

/// The columns of masks with the masks that a row has there: that of the first reader, then those of `--reader-masks`.
fn masks_of_readers(arguments: &ExtractArgs, row: &ListedCase) -> Result<Vec<(String, Option<PathBuf>)>> {
    let folder = arguments.input.parent().unwrap_or(Path::new(""));
    let further = arguments.reader_masks.iter().map(|wanted| {
        let column = row.columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        let (name, text) = column.with_context(|| {
            format!("{} has no column {wanted}; --reader-masks names columns of masks", arguments.input.display())
        })?;
        Ok((name.clone(), (!text.is_empty()).then(|| folder.join(text))))
    });
    std::iter::once(Ok(("Mask".to_owned(), row.mask.clone()))).chain(further).collect()
}

/// The columns of a row, with the mask of this reader and the name of the mask's column.
fn columns(row: &ListedCase, reader: Option<&str>) -> Row {
    let text = |name: &str, text: &str| (name.to_owned(), RowValue::Text(text.to_owned()));
    let Some(reader) = reader else { return row.columns.iter().map(|(name, cell)| text(name, cell)).collect() };
    let mask = row.mask.as_deref().map(Path::to_string_lossy).unwrap_or_default();
    let kept = row.columns.iter().filter(|(name, _)| name != READER);
    let of_reader = kept.map(|(name, cell)| text(name, if name == "Mask" { &mask } else { cell }));
    of_reader.chain([text(READER, reader)]).collect()
}

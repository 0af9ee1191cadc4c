//! The cases to extract: the one of the command line, or those of a CSV file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Error, Result, anyhow};

use super::arguments::{ExtractArgs, Mode};
use super::engine::Engine;
use super::log::Log;
use super::regions::{self, SEGMENT};
use super::reliability::READER;
use super::table::{Row, RowValue};
use super::volumes;
use crate::cases::{ListedCase, Masks, is_list, read_list, whole_number};
use crate::exit::{require, wrong_use};

/// An image with its mask.
#[derive(Debug)]
pub(super) struct Case {
    /// From 1, in the order of the batch.
    pub(super) number: usize,
    pub(super) image: PathBuf,
    /// None where the region is the whole image.
    pub(super) mask: Option<PathBuf>,
    /// Label of the region, as it is written.
    pub(super) label: Option<String>,
    /// Channel of the mask from 0, as it is written.
    pub(super) label_channel: Option<String>,
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
    /// The label of the region.
    pub(super) fn label_number(&self) -> Result<Option<u32>> {
        number_in("Label", self.label.as_deref(), "1")
    }

    /// The channel of the mask, from 0.
    pub(super) fn label_channel_number(&self) -> Result<Option<usize>> {
        number_in("Label_channel", self.label_channel.as_deref(), "0")
    }

    /// The number of the phase of a dynamic DICOM series.
    pub(super) fn phase_number(&self) -> Result<Option<usize>> {
        number_in("Phase", self.phase.as_deref(), "1")
    }

    /// The number of the volume of an image of four dimensions.
    pub(super) fn volume_number(&self) -> Result<Option<usize>> {
        number_in("Image_volume", self.volume.as_deref(), "1")
    }

    /// The number of the volume of a mask of four dimensions.
    pub(super) fn mask_volume_number(&self) -> Result<Option<usize>> {
        number_in("Mask_volume", self.mask_volume.as_deref(), "1")
    }
}

/// The whole number in a cell, which is at least `least`.
fn number_in<T: FromStr + PartialOrd>(column: &str, text: Option<&str>, least: &str) -> Result<Option<T>> {
    let parse = |text: &str| {
        let number: Option<T> = whole_number(text);
        let number = number.filter(|number| least.parse().is_ok_and(|least: T| *number >= least));
        number.with_context(|| format!("the column {column} is {text:?}; it has to be a whole number from {least}"))
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
        if let Some(mask) = &arguments.mask {
            return Err(wrong_use(format!(
                "{} is a list of cases, whose masks stand in its column Mask; leave {} away",
                arguments.input.display(),
                mask.display()
            )));
        }
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
    let of_row = |number: usize, row: ListedCase, reader: Option<&str>| {
        let cell = |name: &str| row.field(name).map(str::to_owned);
        Case {
            number,
            label: cell("Label"),
            label_channel: cell("Label_channel"),
            roi: cell("Roi"),
            series: cell("Series"),
            phase: cell("Phase"),
            volume: cell("Image_volume"),
            mask_volume: cell("Mask_volume"),
            columns: columns(&row, reader),
            image: row.image,
            mask: row.mask,
        }
    };
    if arguments.reader_masks.is_empty() {
        return Ok((1..).zip(list.cases).map(|(number, row)| of_row(number, row, None)).collect());
    }
    let mut cases = Vec::new();
    for (number, row) in (1..).zip(list.cases) {
        if row.columns.iter().any(|(name, _)| name == READER) {
            return Err(taken(arguments, READER));
        }
        for (reader, mask) in masks_of_readers(arguments, &row)? {
            let Some(mask) = mask else {
                log.warning(format_args!("{shown}, line {}: the column {reader} is empty", row.line));
                continue;
            };
            cases.push(of_row(number, ListedCase { mask: Some(mask), ..row.clone() }, Some(&reader)));
        }
    }
    Ok(cases)
}

/// Refuses, before any work is done, a list with a column that the table of results has too, and says which of its
/// columns an option replaces.
pub(super) fn check_columns(arguments: &ExtractArgs, engine: &Engine, cases: &[Case], log: &Log) -> Result<()> {
    let of_results = results_columns(arguments, engine);
    let replaced = cases.iter().flat_map(|case| &case.columns).filter_map(|(name, cell)| {
        let option = regions::brought_by(arguments, name)?;
        (!cell.text().is_empty()).then_some((name.as_str(), option))
    });
    for (name, option) in replaced.collect::<BTreeSet<_>>() {
        log.warning(format_args!(
            "{} has the column {name}, which {option} replaces; leave the option away to have the column's values",
            arguments.input.display()
        ));
    }
    for case in cases {
        let inputs = regions::inputs(arguments, case);
        if let Some((name, _)) = inputs.iter().find(|(name, _)| of_results.contains(name)) {
            return Err(taken(arguments, name));
        }
    }
    Ok(())
}

/// The refusal of a list with a column of this name.
fn taken(arguments: &ExtractArgs, name: &str) -> Error {
    anyhow!(
        "{} has the column {name}, which the table of results has too; rename or remove it",
        arguments.input.display()
    )
}

/// The names of columns behind the input columns, as far as the command line tells them.
fn results_columns(arguments: &ExtractArgs, engine: &Engine) -> BTreeSet<String> {
    let of_dimension = |dimension: usize| match arguments.mode {
        _ if arguments.one_row => Vec::new(),
        Mode::Images => [volumes::IMAGE, volumes::MASK].map(str::to_owned).to_vec(),
        _ if arguments.slice_means => engine.columns_of_means(dimension),
        _ => engine.columns(dimension),
    };
    let mut columns: BTreeSet<String> = [2, 3].into_iter().flat_map(of_dimension).collect();
    if arguments.labels.is_some() && !arguments.one_row {
        columns.insert(SEGMENT.to_owned());
    }
    columns
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
    let of_reader = row.columns.iter().map(|(name, cell)| text(name, if name == "Mask" { &mask } else { cell }));
    of_reader.chain([text(READER, reader)]).collect()
}

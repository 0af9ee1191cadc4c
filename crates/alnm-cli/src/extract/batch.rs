//! The cases to extract: the one of the command line, or those of a CSV file.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::arguments::ExtractArgs;
use super::log::Log;
use super::table::{Row, RowValue};
use crate::cases::{ListedCase, is_list, read_list};

/// An image with its mask.
#[derive(Debug)]
pub(super) struct Case {
    /// From 1, in the order of the batch.
    pub(super) number: usize,
    pub(super) image: PathBuf,
    pub(super) mask: PathBuf,
    pub(super) label: Option<u32>,
    pub(super) label_channel: Option<usize>,
    /// Name of the region in a DICOM mask.
    pub(super) roi: Option<String>,
    /// Identifier of the series in a DICOM folder.
    pub(super) series: Option<String>,
    /// Number of the phase of a dynamic DICOM series, as it is written.
    pub(super) phase: Option<String>,
    /// The columns of the batch, copied to the output.
    pub(super) columns: Row,
}

impl Case {
    /// The number of the phase of a dynamic DICOM series.
    pub(super) fn phase_number(&self) -> Result<Option<usize>> {
        let parse = |text: &String| {
            text.parse().with_context(|| format!("the column Phase is {text:?}; it has to be a whole number from 1"))
        };
        self.phase.as_ref().map(parse).transpose()
    }
}

/// The folder that paths in the output are relative to: that of the batch, or the current one.
pub(super) fn base_folder(arguments: &ExtractArgs) -> PathBuf {
    let folder = if is_list(&arguments.input) { arguments.input.parent() } else { None };
    folder.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The cases of the command line, or of the part of a batch that it asks for.
pub(super) fn read(arguments: &ExtractArgs, log: &Log) -> Result<Vec<Case>> {
    let mut cases = if is_list(&arguments.input) {
        read_batch(&arguments.input, log)?
    } else {
        let mask = arguments.mask.clone().with_context(|| {
            format!(
                "{} is no CSV file of cases, and no mask is given; name the mask after the image",
                arguments.input.display()
            )
        })?;
        let text = |path: &Path| RowValue::Text(path.to_string_lossy().into_owned());
        let columns = vec![("Image".to_owned(), text(&arguments.input)), ("Mask".to_owned(), text(&mask))];
        vec![Case {
            number: 1,
            image: arguments.input.clone(),
            mask,
            label: None,
            label_channel: None,
            roi: None,
            series: None,
            phase: None,
            columns,
        }]
    };
    if let Some(shard) = arguments.shard {
        cases.retain(|case| shard.holds(case.number));
    }
    Ok(cases)
}

fn read_batch(path: &Path, log: &Log) -> Result<Vec<Case>> {
    let shown = path.display();
    let list = read_list(path)?;
    for line in &list.incomplete {
        log.warning(format_args!("{shown}, line {line}: the case has no image or no mask and is left out"));
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
            columns: row.columns.iter().map(|(name, text)| (name.clone(), RowValue::Text(text.clone()))).collect(),
            image: row.image,
            mask: row.mask,
        })
    };
    list.cases.into_iter().enumerate().map(of_row).collect()
}

//! `alnm info`: what image files, masks and DICOM folders hold.

mod advice;
mod content;
mod statistics;
mod text;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use rayon::prelude::*;

use crate::exit::of_batch;
use crate::messages::{self, reasons};
use crate::output::print;
use crate::progress::Counted;
use content::Described;

/// Print what files hold: type, grid, range, mean and percentiles of an image, labels of a mask with their volumes and
/// parts, series of a DICOM folder with scanner, sequence and times, and what is odd, with a line that says what to do.
///
/// Of DICOM the headers alone are read unless --voxels is set. Nothing that is printed says who the patient is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  alnm info image.nii.gz
  alnm info mask.nrrd structures.dcm dicom-folder
  alnm info dicom-folder --json | jq '.[0].series[].acquisition.repetition_time'
  gunzip -c image.nii.gz | alnm info -

The JSON is a list with an object for each path; docs/info.schema.json describes it.")]
pub(crate) struct Info {
    /// Image files, DICOM masks (RTSTRUCT, SEG) or DICOM folders; `-` is standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print JSON. What is not known is null.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Form of the result.
    #[arg(short, long, value_enum, default_value_t = Form::Text)]
    format: Form,
    /// Read headers alone, no voxels.
    #[arg(long, conflicts_with_all = ["voxels", "histogram"])]
    headers: bool,
    /// Read the voxels of DICOM series too, of each the first volume.
    #[arg(long)]
    voxels: bool,
    /// Count voxels in so many bins from the lowest value to the highest.
    #[arg(
        long,
        value_name = "BINS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "32",
        value_parser = clap::value_parser!(u16).range(1..=4096)
    )]
    histogram: Option<u16>,
    #[command(flatten)]
    threads: crate::Threads,
}

/// Form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    #[value(alias = "txt")]
    Text,
    /// The same as --json.
    Json,
}

/// What is read beside headers.
#[derive(Debug, Clone, Copy)]
struct Extent {
    voxels: bool,
    voxels_of_dicom: bool,
    bins: Option<u16>,
}

impl Info {
    pub(crate) fn run(self) -> Result<()> {
        self.threads.start()?;
        let extent = Extent {
            voxels: !self.headers,
            voxels_of_dicom: self.voxels || self.histogram.is_some(),
            bins: self.histogram,
        };
        let all = self.paths.len();
        let progress = Counted::start("files", all);
        let of_path = |path: PathBuf| {
            let read = Described::read(&path, extent);
            progress.advance();
            (path, read)
        };
        let described: Vec<(PathBuf, Result<Described>)> = self.paths.into_par_iter().map(of_path).collect();
        progress.finish();
        let mut failed = 0;
        for (_, error) in described.iter().filter_map(|(path, read)| Some((path, read.as_ref().err()?))) {
            messages::error(reasons(error));
            failed += 1;
        }
        if self.json || self.format == Form::Json {
            let entries = described
                .into_iter()
                .map(|(path, read)| read.unwrap_or_else(|error| Described::failed(&path, reasons(&error))));
            print(&(serde_json::to_string_pretty(&entries.collect::<Vec<_>>())? + "\n"))?;
        } else {
            let texts = described.iter().filter_map(|(_, read)| read.as_ref().ok());
            let texts: Vec<String> = texts.map(|described| text::of(described, all > 1)).collect();
            print(&texts.join("\n"))?;
        }
        of_batch(failed, all, "files")
    }
}

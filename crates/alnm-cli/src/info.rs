//! `alnm info`: what an image file, a mask or a DICOM folder holds.

use std::path::{Path, PathBuf};

use crate::output::print;
use alnm_imaging::dicom::{DicomFolder, MaskFile, Series};
use alnm_imaging::file::Source;
use alnm_imaging::{FileFormat, Geometry, ImagingError};

/// Print what a file holds: type, grid and place of an image, series and phases of a DICOM folder, regions of a mask.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  alnm info image.nii.gz\n  alnm info dicom-folder\n  alnm info structures.dcm\n\n\
Exit codes: 0 done, 1 the file cannot be read, 2 the command line is wrong")]
pub(crate) struct Info {
    /// Image file, DICOM mask (RTSTRUCT, SEG) or DICOM folder.
    path: PathBuf,
}

impl Info {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        print(&describe(&self.path)?)
    }
}

fn describe(path: &Path) -> anyhow::Result<String> {
    let source = Source::open(path)?;
    let format = source.format();
    let image = if format == FileFormat::Dicom {
        let is_folder = source.is_folder();
        let folder = source.dicom_folder()?;
        if is_folder {
            return describe_folder(&folder);
        }
        if let Some(mask) = folder.only_mask()? {
            return Ok(describe_mask(mask));
        }
        folder.only_series()?.image()?
    } else {
        source.read_image()?
    };
    Ok(format!("format     {format}\nvoxels     {:?}\n{}", image.pixel_type(), describe_grid(image.geometry(), "")))
}

fn describe_grid(grid: &Geometry, indent: &str) -> String {
    format!(
        "{indent}dimension  {}\n{indent}size       {:?}\n{indent}spacing    {:?} mm\n{indent}origin     {:?} mm (LPS)\n{indent}direction  {:?}\n",
        grid.dimension(),
        grid.size(),
        grid.spacing(),
        grid.origin(),
        grid.direction()
    )
}

fn describe_folder(folder: &DicomFolder) -> anyhow::Result<String> {
    let mut text = folder.series().iter().map(describe_series).collect::<anyhow::Result<String>>()?;
    text.extend(folder.masks().iter().map(describe_mask));
    text.extend(folder.mask_problems().iter().map(|problem: &ImagingError| format!("mask {problem}\n")));
    Ok(text)
}

fn describe_series(series: &Series) -> anyhow::Result<String> {
    let number = series.number().map_or(String::new(), |number| format!("number {number}, "));
    let mut text = format!(
        "series {}\n  {number}{} {:?}, patient {:?}\n  {} slices, {} phases\n",
        series.uid(),
        series.modality(),
        series.description(),
        series.patient_id(),
        series.slice_count(),
        series.phase_count()
    );
    if let Some(problem) = series.problem() {
        return Ok(text + &format!("  no volume: {problem}\n"));
    }
    text.push_str(&describe_grid(series.geometry()?, "  "));
    if series.phase_count() > 1 {
        let time = |time: &f64| if time.is_nan() { "unknown".to_owned() } else { time.to_string() };
        let times: Vec<String> = series.times()?.iter().map(time).collect();
        text.push_str(&format!("  times      {} s\n", times.join(", ")));
    }
    Ok(text)
}

fn describe_mask(mask: &MaskFile) -> String {
    let kind = match mask {
        MaskFile::StructureSet(_) => "structure set",
        MaskFile::Segmentation(_) => "segmentation",
        _ => "mask",
    };
    let regions = mask.regions().into_iter().map(|region| format!("  region {} {:?}\n", region.number, region.name));
    format!("{kind} {}\n", mask.path().display()) + &regions.collect::<String>()
}

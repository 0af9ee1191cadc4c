//! `alnm info`: what an image file, a mask or a DICOM folder holds.

use std::path::{Path, PathBuf};

use crate::output::print;
use alnm_imaging::dicom::{DicomFolder, MaskFile, Series, SeriesVolume};
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
    if format != FileFormat::Dicom {
        let conflict = source.form_conflict()?.map_or_else(String::new, |conflict| format!("warning    {conflict}\n"));
        let image = source.read_header()?;
        let volumes = if image.volumes > 1 { format!("volumes    {}\n", image.volumes) } else { String::new() };
        return Ok(format!(
            "format     {format}\nvoxels     {:?}\n{volumes}{}{conflict}",
            image.pixel_type,
            describe_grid(&image.geometry, "")
        ));
    }
    let is_folder = source.is_folder();
    let folder = source.dicom_folder()?;
    if is_folder {
        return describe_folder(&folder);
    }
    match folder.only_mask()? {
        Some(mask) => Ok(describe_mask(mask)),
        None => Ok(format!("format     {format}\n{}", describe_series(folder.only_series()?)?)),
    }
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
    text.extend(folder.file_problems().iter().map(|problem: &ImagingError| format!("left out {problem}\n")));
    Ok(text)
}

fn describe_series(series: &Series) -> anyhow::Result<String> {
    let number = series.number().map_or(String::new(), |number| format!("number {number}, "));
    let mut text = format!(
        "series {}\n  {number}{} {:?}, patient {:?}\n  {} slices, ",
        series.uid(),
        series.modality(),
        series.description(),
        series.patient_id(),
        series.slice_count()
    );
    if let Some(problem) = series.problem() {
        return Ok(text + &format!("no volume: {problem}\n"));
    }
    match series.phase_count() {
        0 => text.push_str(&describe_volumes(&series.volumes()?)),
        count => {
            text.push_str(&format!("{count} phases\n  voxels     {:?}\n", series.pixel_type()?));
            text.push_str(&describe_grid(series.geometry()?, "  "));
            if count > 1 {
                let times: Vec<String> = series.times()?.iter().map(|time| seconds(*time)).collect();
                text.push_str(&format!("  times      {} s\n", times.join(", ")));
            }
        }
    }
    if let Some(by) = series.phases_by() {
        text.push_str(&format!("  phases by  {by}\n"));
    }
    text.extend(series.warnings().iter().map(|warning| format!("  warning    {warning}\n")));
    Ok(text)
}

fn seconds(time: f64) -> String {
    if time.is_nan() { "unknown".to_owned() } else { time.to_string() }
}

/// A line for each of several volumes, and their grid: once where all share it.
fn describe_volumes(volumes: &[SeriesVolume]) -> String {
    let mut text = format!("{} volumes\n", volumes.len());
    let is_shared = volumes.iter().all(|volume| volume.geometry == volumes[0].geometry);
    for volume in volumes {
        text.push_str(&format!("  volume {volume}\n"));
        if !is_shared {
            text.push_str(&describe_grid(&volume.geometry, "    "));
        }
    }
    if is_shared {
        text.push_str(&describe_grid(&volumes[0].geometry, "  "));
    }
    text
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

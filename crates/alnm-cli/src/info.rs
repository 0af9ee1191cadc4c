//! `alnm info`: what an image file, a mask or a DICOM folder holds.

use std::path::PathBuf;

use alnm_imaging::dicom::{DicomFolder, MaskFile, Series, SeriesVolume};
use alnm_imaging::file::{NamedSegment, Source};
use alnm_imaging::{FileFormat, Geometry, ImagingError};
use serde_json::{Value, json};

use crate::output::print;

/// Print what a file holds: type, grid and place of an image, series and phases of a DICOM folder, regions of a mask.
///
/// Headers alone are read, no voxels.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  alnm info image.nii.gz\n  alnm info dicom-folder\n  alnm info structures.dcm\n  alnm info dicom-folder --json"
)]
pub(crate) struct Info {
    /// Image file, DICOM mask (RTSTRUCT, SEG) or DICOM folder.
    path: PathBuf,
    /// Print JSON. Times that are not known are null.
    #[arg(long)]
    json: bool,
}

impl Info {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let source = crate::input::open(&self.path)?;
        print(&if self.json { format!("{:#}\n", json_of(source)?) } else { describe(source)? })
    }
}

/// What a source holds, as JSON.
fn json_of(source: Source) -> anyhow::Result<Value> {
    let format = source.format().to_string();
    if source.format() != FileFormat::Dicom {
        let segments = source.segments()?;
        let warnings: Vec<String> = source.form_conflict()?.iter().map(ToString::to_string).collect();
        let image = source.read_header()?;
        return Ok(json!({
            "format": format,
            "voxels": format!("{:?}", image.pixel_type),
            "volumes": image.volumes,
            "geometry": image.geometry,
            "segments": segments,
            "warnings": warnings,
        }));
    }
    let folder = source.dicom_folder()?;
    let problems = folder.mask_problems().iter().chain(folder.file_problems()).map(ToString::to_string);
    Ok(json!({
        "format": format,
        "series": folder.series().iter().map(json_of_series).collect::<anyhow::Result<Vec<Value>>>()?,
        "masks": folder.masks().iter().map(json_of_mask).collect::<Vec<Value>>(),
        "problems": problems.collect::<Vec<String>>(),
    }))
}

fn json_of_series(series: &Series) -> anyhow::Result<Value> {
    let volumes = if series.problem().is_some() { Vec::new() } else { series.volumes()? };
    let voxels = if series.phase_count() > 0 { Some(format!("{:?}", series.pixel_type()?)) } else { None };
    Ok(json!({
        "uid": series.uid(),
        "number": series.number(),
        "modality": series.modality(),
        "description": series.description(),
        "patient_id": series.patient_id(),
        "slices": series.slice_count(),
        "problem": series.problem().map(ToString::to_string),
        "voxels": voxels,
        "volumes": volumes,
        "phases_by": series.phases_by().map(|by| by.to_string()),
        "warnings": series.warnings().iter().map(ToString::to_string).collect::<Vec<String>>(),
    }))
}

fn json_of_mask(mask: &MaskFile) -> Value {
    json!({ "kind": kind_of(mask), "path": mask.path(), "regions": mask.regions() })
}

fn describe(source: Source) -> anyhow::Result<String> {
    let format = source.format();
    if format != FileFormat::Dicom {
        let conflict = source.form_conflict()?.map_or_else(String::new, |conflict| format!("warning    {conflict}\n"));
        let segment = |segment: NamedSegment| format!("segment    {} {:?}\n", segment.label, segment.name);
        let segments: String = source.segments()?.into_iter().map(segment).collect();
        let image = source.read_header()?;
        let volumes = if image.volumes > 1 { format!("volumes    {}\n", image.volumes) } else { String::new() };
        return Ok(format!(
            "format     {format}\nvoxels     {:?}\n{volumes}{}{segments}{conflict}",
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
    let kind = kind_of(mask);
    let regions = mask.regions().into_iter().map(|region| format!("  region {} {:?}\n", region.number, region.name));
    format!("{kind} {}\n", mask.path().display()) + &regions.collect::<String>()
}

fn kind_of(mask: &MaskFile) -> &'static str {
    match mask {
        MaskFile::StructureSet(_) => "structure set",
        MaskFile::Segmentation(_) => "segmentation",
        _ => "mask",
    }
}

//! `alnm info`: what an image file, a mask or a DICOM folder holds.

use std::path::{Path, PathBuf};

use alnm_imaging::dicom::{DicomFolder, MaskFile, Series};
use alnm_imaging::{FileFormat, Geometry, file_format, read_image};
use anyhow::bail;

use crate::output::print;

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
    if path.is_dir() {
        return describe_folder(path);
    }
    let format = file_format(path)?;
    if format == FileFormat::Dicom
        && let Some(mask) = MaskFile::find(path)?
    {
        return Ok(describe_mask(path, &mask));
    }
    let image = read_image(path)?;
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

fn describe_folder(path: &Path) -> anyhow::Result<String> {
    let masks = MaskFile::find_all(path)?;
    let mut text = match DicomFolder::scan(path) {
        Ok(folder) => folder.series().iter().map(describe_series).collect::<anyhow::Result<String>>()?,
        Err(error) if masks.is_empty() => bail!(error),
        Err(_) => String::new(),
    };
    text.extend(masks.iter().map(|(file, mask)| describe_mask(file, mask)));
    Ok(text)
}

fn describe_series(series: &Series) -> anyhow::Result<String> {
    let number = series.number.map_or(String::new(), |number| format!("number {number}, "));
    let mut text = format!(
        "series {}\n  {number}{} {:?}, patient {:?}\n  {} slices, {} phases\n",
        series.uid,
        series.modality,
        series.description,
        series.patient_id,
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

fn describe_mask(path: &Path, mask: &MaskFile) -> String {
    let kind = match mask {
        MaskFile::StructureSet(_) => "structure set",
        MaskFile::Segmentation(_) => "segmentation",
    };
    let regions = mask.regions().into_iter().map(|region| format!("  region {} {:?}\n", region.number, region.name));
    format!("{kind} {}\n", path.display()) + &regions.collect::<String>()
}

//! `alnm info`: what an image file, a mask or a DICOM folder holds.

use std::path::{Path, PathBuf};

use alnm_imaging::dicom::{DicomFolder, MaskFile, Series};
use alnm_imaging::{FileFormat, Geometry, file_format, read_image};
use anyhow::bail;

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
        if self.path.is_dir() {
            return print_folder(&self.path);
        }
        let format = file_format(&self.path)?;
        if format == FileFormat::Dicom
            && let Some(mask) = MaskFile::find(&self.path)?
        {
            print_mask(&self.path, &mask);
            return Ok(());
        }
        let image = read_image(&self.path)?;
        println!("format     {format}");
        println!("voxels     {:?}", image.pixel_type());
        print_grid(image.geometry(), "");
        Ok(())
    }
}

fn print_grid(grid: &Geometry, indent: &str) {
    println!("{indent}dimension  {}", grid.dimension());
    println!("{indent}size       {:?}", grid.size());
    println!("{indent}spacing    {:?} mm", grid.spacing());
    println!("{indent}origin     {:?} mm (LPS)", grid.origin());
    println!("{indent}direction  {:?}", grid.direction());
}

fn print_folder(path: &Path) -> anyhow::Result<()> {
    let masks = MaskFile::find_all(path)?;
    match DicomFolder::scan(path) {
        Ok(folder) => {
            for series in folder.series() {
                print_series(series)?;
            }
        }
        Err(error) if masks.is_empty() => bail!(error),
        Err(_) => {}
    }
    for (file, mask) in &masks {
        print_mask(file, mask);
    }
    Ok(())
}

fn print_series(series: &Series) -> anyhow::Result<()> {
    println!("series {}", series.uid);
    let number = series.number.map_or(String::new(), |number| format!("number {number}, "));
    println!("  {number}{} {:?}, patient {:?}", series.modality, series.description, series.patient_id);
    println!("  {} slices, {} phases", series.slice_count(), series.phase_count());
    if let Some(problem) = series.problem() {
        println!("  no volume: {problem}");
        return Ok(());
    }
    print_grid(series.geometry()?, "  ");
    if series.phase_count() > 1 {
        let times: Vec<String> =
            series.times()?.iter().map(|time| if time.is_nan() { "unknown".to_owned() } else { format!("{time}") }).collect();
        println!("  times      {} s", times.join(", "));
    }
    Ok(())
}

fn print_mask(path: &Path, mask: &MaskFile) {
    let kind = match mask {
        MaskFile::StructureSet(_) => "structure set",
        MaskFile::Segmentation(_) => "segmentation",
    };
    println!("{kind} {}", path.display());
    for region in mask.regions() {
        println!("  region {} {:?}", region.number, region.name);
    }
}

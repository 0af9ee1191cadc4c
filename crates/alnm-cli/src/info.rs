//! `alnm info`: what an image file holds.

use std::path::PathBuf;

use alnm_imaging::dicom::DicomFolder;
use alnm_imaging::read_image;

/// Print type, grid and place of an image, or the series of a DICOM folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: alnm info image.nii.gz")]
pub(crate) struct Info {
    /// Image file or DICOM folder.
    path: PathBuf,
}

impl Info {
    #[allow(clippy::print_stdout, reason = "the command prints what it found")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.path.is_dir() {
            for series in DicomFolder::scan(&self.path)?.series() {
                let (uid, modality, description) = (&series.uid, &series.modality, &series.description);
                println!("{uid}  {modality}  {description:?}  {} slices, {} phases", series.slice_count(), series.phase_count());
                if let Some(problem) = series.problem() {
                    println!("  {problem}");
                }
            }
            return Ok(());
        }
        let image = read_image(&self.path)?;
        let geometry = image.geometry();
        println!("voxels     {:?}", image.pixel_type());
        println!("dimension  {}", geometry.dimension());
        println!("size       {:?}", geometry.size());
        println!("spacing    {:?} mm", geometry.spacing());
        println!("origin     {:?} mm (LPS)", geometry.origin());
        println!("direction  {:?}", geometry.direction());
        Ok(())
    }
}

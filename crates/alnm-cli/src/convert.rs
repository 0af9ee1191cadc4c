//! `alnm convert`: from one format to another.

use std::path::PathBuf;

use alnm_imaging::dicom::read_phase;
use alnm_imaging::{read_image, write_image};

/// Write an image or a DICOM series in another format; the type of the voxels is kept.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: alnm convert dce-folder phase4.nii.gz --phase 4")]
pub(crate) struct Convert {
    /// Image file or DICOM folder.
    input: PathBuf,
    /// File to write: .nii, .nii.gz, .hdr, .nrrd, .nhdr, .mha or .mhd.
    output: PathBuf,
    /// Phase of a dynamic DICOM series, from 1.
    #[arg(long)]
    phase: Option<usize>,
}

impl Convert {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let image = match self.phase {
            Some(number) => read_phase(&self.input, number)?,
            None => read_image(&self.input)?,
        };
        Ok(write_image(&self.output, &image)?)
    }
}

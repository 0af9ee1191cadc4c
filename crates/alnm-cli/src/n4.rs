//! `alnm n4`: bias field correction.

use std::path::PathBuf;

use alnm_imaging::n4::{ControlGrid, N4Params};
use alnm_imaging::otsu::otsu_mask;
use alnm_imaging::{read_image, read_mask, with_volume, write_image};

/// Correct the bias field of an MR image with N4, with the defaults and the results of SimpleITK.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: alnm n4 image.nii.gz corrected.nii.gz --otsu --shrink 4")]
pub(crate) struct N4 {
    /// Image file or DICOM folder.
    input: PathBuf,
    /// File for the corrected image.
    output: PathBuf,
    /// Mask of the voxels to fit.
    #[arg(long, conflicts_with = "otsu")]
    mask: Option<PathBuf>,
    /// Fit the voxels above Otsu's threshold (200 bins).
    #[arg(long)]
    otsu: bool,
    /// Label of the mask's voxels.
    #[arg(long, default_value_t = 1)]
    label: u32,
    /// Find the field on every n-th voxel.
    #[arg(long, default_value_t = 1)]
    shrink: usize,
    /// Most iterations on each level.
    #[arg(long, value_delimiter = ',', default_values_t = [50, 50, 50, 50])]
    iterations: Vec<usize>,
    /// Change of the field at which a level ends.
    #[arg(long, default_value_t = 0.001)]
    convergence: f64,
    /// Control points of each axis on the first level.
    #[arg(long, default_value_t = 4)]
    control_points: usize,
    /// Order of the spline.
    #[arg(long, default_value_t = 3)]
    spline_order: usize,
    /// Full width at half maximum of the field's histogram.
    #[arg(long, default_value_t = 0.15)]
    fwhm: f64,
    /// Noise of the Wiener filter.
    #[arg(long, default_value_t = 0.01)]
    noise: f64,
    /// Bins of the histogram.
    #[arg(long, default_value_t = 200)]
    bins: usize,
    /// File for the bias field.
    #[arg(long)]
    bias_field: Option<PathBuf>,
    /// File for the logarithm of the bias field.
    #[arg(long)]
    log_bias_field: Option<PathBuf>,
    /// Threads; all of the machine by default.
    #[arg(long)]
    threads: Option<usize>,
}

impl N4 {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
        }
        let params = N4Params {
            iterations: self.iterations,
            convergence_threshold: self.convergence,
            control_grid: ControlGrid::Points([self.control_points; 3]),
            spline_order: self.spline_order,
            bias_fwhm: self.fwhm,
            wiener_noise: self.noise,
            histogram_bins: self.bins,
            mask_label: Some(self.label),
            shrink: self.shrink,
        };
        let n4 = params.check()?;
        let image = read_image(&self.input)?;
        let mask = match &self.mask {
            Some(path) => Some(read_mask(path)?),
            None if self.otsu => Some(with_volume!(&image, volume => otsu_mask(volume, 200))?),
            None => None,
        };
        let result = with_volume!(&image, volume => n4.correct(volume, mask.as_ref()))?;
        if let Some(path) = &self.bias_field {
            write_image(path, &result.bias_field().into())?;
        }
        write_image(&self.output, &result.corrected.into())?;
        if let Some(path) = &self.log_bias_field {
            write_image(path, &result.log_bias_field.into())?;
        }
        Ok(())
    }
}

//! `--onnx`: outlines by a network.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use alnm_deep::{ChannelNormalisation, OnnxNetwork, SlidingWindowParams, VolumeSegmentationParams};
use alnm_imaging::{LabelMap, Volume};
use anyhow::Context;

use crate::exit::{wrong_use, wrong_value};
use crate::options::{List, PerAxis};
use crate::progress::Counted;

/// The network, and how it sees an image.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "A network instead of seeds and a contour")]
pub(super) struct NetworkOptions {
    /// Network in an ONNX file, such as an exported nnU-Net, with an input (1, channel, z, y, x), or (1, channel, y, x)
    /// for one that goes plane by plane. Each voxel gets the number of the output channel with the largest value, from
    /// 0 for the background.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "seed_voxel", "seeds", "lower", "upper", "edges", "classes", "speed", "speed_out", "scribbles", "propose"])]
    pub(super) onnx: Option<PathBuf>,
    /// The value of the network that is taken, by its name; the first output by default.
    #[arg(long, value_name = "NAME", requires = "onnx")]
    output: Option<String>,
    /// Voxels (x, y, z) of the windows in which the image is computed; by default those that the network asks for.
    #[arg(long, value_name = "N,N,N", requires = "onnx")]
    window: Option<List<usize>>,
    /// Share of a window that the next one covers again.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, requires = "onnx")]
    overlap: f64,
    /// Axes over whose mirror images the output is averaged.
    #[arg(long, value_name = "AXES", value_enum, value_delimiter = ',', requires = "onnx")]
    mirror: Vec<Axis>,
    /// Voxel spacing in mm to which the image is resampled before; the outline is brought back to the image's grid.
    #[arg(long, value_name = "X,Y,Z", requires = "onnx")]
    network_spacing: Option<PerAxis>,
    /// How the values of each channel are normalised.
    #[arg(long, value_enum, default_value_t = Normalisation::ZScore, requires = "onnx")]
    normalise: Normalisation,
    /// Value of a network's only output channel above which a voxel belongs to the outline: 0 for logits, 0.5 for a
    /// network that ends with a sigmoid.
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true, requires = "onnx")]
    threshold: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Axis {
    X,
    Y,
    Z,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Normalisation {
    /// The values as they are.
    None,
    /// Less their mean, divided by their standard deviation.
    ZScore,
    /// The same over the voxels that are not 0.
    NonZeroZScore,
}

impl From<Normalisation> for ChannelNormalisation {
    fn from(normalisation: Normalisation) -> Self {
        match normalisation {
            Normalisation::None => Self::Unchanged,
            Normalisation::ZScore => Self::ZScore,
            Normalisation::NonZeroZScore => Self::NonZeroZScore,
        }
    }
}

impl NetworkOptions {
    /// The outline of the network in a file.
    pub(super) fn segment(&self, path: &Path, channels: &[Volume<f32>]) -> anyhow::Result<LabelMap> {
        let names: Vec<&str> = self.output.as_deref().into_iter().collect();
        let network = OnnxNetwork::open_with_outputs(path, &names)?;
        let mirrors = [Axis::Z, Axis::Y, Axis::X].map(|axis| self.mirror.contains(&axis));
        let windows = SlidingWindowParams::new(self.window(&network)?).with_overlap(self.overlap).with_mirrors(mirrors);
        let params = VolumeSegmentationParams::new(windows)
            .with_spacing(self.network_spacing.map_or([0.0; 3], |PerAxis { along, .. }| along))
            .with_normalisation(self.normalise.into())
            .with_threshold(self.threshold);
        let segmentation = params.check().map_err(wrong_value)?;
        let progress = Counted::start("windows", 0);
        let mut observer = |done: usize, all: usize| {
            progress.set(done, all, "");
            ControlFlow::Continue(())
        };
        segmentation.run(&network, channels, &mut observer).with_context(|| path.display().to_string())
    }

    /// Voxels (z, y, x) of the windows.
    fn window(&self, network: &OnnxNetwork) -> anyhow::Result<[usize; 3]> {
        let asked = network.inputs().first().map(|input| input.shape.as_slice()).unwrap_or_default();
        let given = self.window.as_ref().map(|List(window)| window.as_slice()).unwrap_or_default();
        match (given, asked) {
            (&[x, y, z], _) => Ok([z, y, x]),
            ([], &[_, _, Some(z), Some(y), Some(x)]) => Ok([z, y, x]),
            ([], &[_, _, Some(y), Some(x)]) => Ok([1, y, x]),
            ([], _) => Err(wrong_use("the network takes windows of any size; give --window, such as 128,128,64")),
            (given, _) => {
                Err(wrong_use(format!("--window has {} numbers; give three, such as 128,128,64", given.len())))
            }
        }
    }
}

//! `--scribbles`: a speed by a random forest.

use std::path::PathBuf;

use alnm_imaging::{Geometry, LabelMap, Volume};
use alnm_segmentation::speed::ForestParams;

use super::on_grid;
use crate::exit::{require, wrong_value};
use crate::input::{ChosenImage, MaskDrawing};

/// What the forest learns from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Speed by scribbles")]
pub(super) struct ScribbleOptions {
    /// Mask of scribbles, with a label for each class: a random forest learns from them, and the contour grows in the
    /// classes of --foreground. Without another seed these scribbles are the seeds.
    #[arg(long, value_name = "FILE", requires = "foreground", conflicts_with_all = ["edges", "speed", "lower", "upper", "classes"])]
    pub(super) scribbles: Option<PathBuf>,
    /// Number of trees.
    #[arg(long, value_name = "N", default_value_t = 50, requires = "scribbles")]
    trees: usize,
    /// Radius in voxels of the box around a voxel whose values the forest looks at.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "scribbles")]
    patch: usize,
    /// The forest also looks at the place of a voxel.
    #[arg(long, requires = "scribbles")]
    place: bool,
    /// Seed of the forest's random draws.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "scribbles")]
    forest_seed: u64,
}

impl ScribbleOptions {
    /// The scribbles on the image's grid; none where none are given.
    pub(super) fn read(&self, chosen: &ChosenImage) -> anyhow::Result<Option<LabelMap>> {
        let Some(path) = &self.scribbles else { return Ok(None) };
        let labels = MaskDrawing::default().read_for(chosen, path, None)?;
        on_grid(labels, chosen.image.geometry(), path).map(Some)
    }

    /// The speed by the forest that learns from these scribbles and images on one grid.
    pub(super) fn speed(
        &self,
        images: &[&Volume<f32>],
        scribbles: &LabelMap,
        foreground: &[u32],
    ) -> anyhow::Result<Volume<f32>> {
        let params = ForestParams::default()
            .with_trees(self.trees)
            .with_radius(radius(scribbles.geometry(), self.patch))
            .with_position(self.place)
            .with_seed(self.forest_seed);
        let learning = params.check().map_err(wrong_value)?;
        require(!foreground.contains(&0), "--foreground names labels of the scribbles, and 0 is none")?;
        Ok(learning.learn(images, scribbles)?.speed(images, foreground)?)
    }
}

/// The box does not leave the only slice of a flat image.
fn radius(grid: &Geometry, patch: usize) -> [usize; 3] {
    [patch, patch, if grid.size()[2] == 1 { 0 } else { patch }]
}

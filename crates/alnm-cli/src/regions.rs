//! `alnm regions`: regions made from a region.

mod habitats;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use alnm_imaging::mask::RegionChoice;
use alnm_imaging::region::{Ring, RingLimits, RingParams, Roi};
use alnm_imaging::{Geometry, Image, LabelMap, Volume, write_mask};
use anyhow::{Result, bail, ensure};
use clap::{Args, Subcommand};

use crate::input::{MaskDrawing, noted, open, read_image};
use crate::messages::inform;
use crate::options::RegionOptions;
use crate::output::{Activity, Overwriting, warn};

/// Make regions from a region: rings around it, shells in it, habitats of its voxels.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  alnm regions rings lesion.nii.gz rings.nii.gz --ring 0:5 --ring 5:10 --image phase2.nii.gz --above 50
  alnm regions rings lesion.nii.gz shells.nii.gz --shells 2:3 --within breast.nii.gz
  alnm regions learn-habitats habitats.json maps/* --features peak_enhancement,washout_slope
  alnm regions habitats habitats.json maps/patient7 habitats.nii.gz")]
pub(crate) struct Regions {
    #[command(subcommand)]
    command: RegionsCommand,
}

#[derive(Debug, Subcommand)]
enum RegionsCommand {
    Rings(RingsCommand),
    LearnHabitats(habitats::LearnHabitats),
    Habitats(habitats::MapHabitats),
}

/// Draw bands of distances from the surface of a region, in mm on the grid's own spacing.
#[derive(Debug, Args)]
#[command(after_help = "Example: alnm regions rings lesion.nii.gz rings.nii.gz --ring=-2:0 --ring 0:5 --ring 5:10")]
struct RingsCommand {
    /// Mask: an image, or with --image a DICOM segmentation or structure set.
    #[arg(value_name = "MASK")]
    mask: PathBuf,
    /// File for the rings: label 1 for the first and so on.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    region: RegionOptions,
    /// A ring from a distance to another: 0:5 is up to 5 mm outside, -2:0 up to 2 mm inside, -2:5 both. Repeat it for
    /// more; no distance may lie in two.
    #[arg(long = "ring", value_name = "MM:MM", allow_hyphen_values = true, required_unless_present = "shells")]
    rings: Vec<Limits>,
    /// Instead, shells of the region from its surface inwards: their width, and how many, the last with all that is
    /// deeper.
    #[arg(long, value_name = "MM:N", conflicts_with = "rings")]
    shells: Option<Limits>,
    /// Mask of where rings may lie, such as the breast.
    #[arg(long, value_name = "FILE")]
    within: Option<PathBuf>,
    /// Image on whose grid the masks are drawn, and whose voxels --above looks at.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Rings have only voxels above this intensity of the image, as tissue is above air.
    #[arg(long, value_name = "X", requires = "image", allow_negative_numbers = true)]
    above: Option<f64>,
    /// Let rings have voxels of other labels of the mask.
    #[arg(long)]
    over_other_labels: bool,
    #[command(flatten)]
    drawing: MaskDrawing,
    #[command(flatten)]
    threads: crate::Threads,
    #[command(flatten)]
    overwriting: Overwriting,
}

/// Two numbers with a colon between them.
#[derive(Debug, Clone, Copy)]
struct Limits([f64; 2]);

impl FromStr for Limits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once(':').and_then(|(a, b)| Some([a.trim().parse().ok()?, b.trim().parse().ok()?]));
        numbers.map(Self).ok_or_else(|| "it has to be two numbers with a colon between them, such as 0:5".to_owned())
    }
}

impl Regions {
    pub(crate) fn run(self) -> Result<()> {
        match self.command {
            RegionsCommand::Rings(command) => command.run(),
            RegionsCommand::LearnHabitats(command) => command.run(),
            RegionsCommand::Habitats(command) => command.run(),
        }
    }
}

impl RingsCommand {
    fn run(self) -> Result<()> {
        self.overwriting.check_images([self.output.as_path()])?;
        self.threads.start()?;
        let drawing = self.params()?.check()?;
        let activity = Activity::start("reading");
        let image = self.image.as_deref().map(read_image).transpose()?;
        let mask = self.read_mask(&self.mask, self.region.choice(), image.as_ref().map(Image::geometry))?;
        let within = self.within.as_deref().map(|path| self.read_mask(path, None, Some(mask.geometry()))).transpose()?;
        let mut limits = RingLimits::default();
        if let Some(within) = &within {
            limits = limits.with_within(within);
        }
        if let (Some(image), Some(value)) = (&image, self.above) {
            limits = limits.with_above(image, value);
        }
        activity.next("drawing");
        let rings = drawing.draw(Roi::new(&mask, self.region.label())?, limits)?;
        activity.next("writing");
        write_mask(&self.output, &rings.mask)?;
        activity.finish();
        for drawn in &rings.rings {
            let Ring { from, to, .. } = drawn.ring;
            let cut = if drawn.cut_voxels > 0 { format!(", {} more cut off", drawn.cut_voxels) } else { String::new() };
            inform(format_args!("label {}, {from} to {to} mm: {} voxels{cut}", drawn.label, drawn.voxels));
            if drawn.voxels == 0 {
                warn(format_args!("the ring {from} to {to} mm is empty: the mask has no label {}", drawn.label));
            }
        }
        Ok(())
    }

    fn params(&self) -> Result<RingParams> {
        let params = match self.shells {
            Some(Limits([width, count])) => {
                ensure!(width > 0.0 && width.is_finite(), "--shells: the width is {width}; it must be above 0 mm");
                let is_count = (1.0..=1000.0).contains(&count) && count.fract() == 0.0;
                ensure!(is_count, "--shells: the number is {count}; it must be a whole number from 1 to 1000");
                RingParams::shells(width, count as usize)
            }
            None => RingParams::new(self.rings.iter().map(|&Limits([from, to])| Ring::new(from, to))),
        };
        Ok(params.with_keep_other_labels_out(!self.over_other_labels))
    }

    /// A mask, on a grid where one is given; the grid of a file in single precision differs from it by a trace.
    fn read_mask(&self, path: &Path, region: Option<RegionChoice>, grid: Option<&Geometry>) -> Result<LabelMap> {
        let source = open(path)?;
        if grid.is_none() && source.format() == alnm_imaging::FileFormat::Dicom && self.image.is_none() {
            bail!("{} is DICOM; --image names the image on whose grid it is drawn", path.display());
        }
        let mut params = self.drawing.apply(Default::default());
        params.region = region;
        params.grid = grid.cloned();
        let mask = noted(params.check()?.read_with_notes(source)?);
        Ok(match grid {
            Some(grid) => Volume::new(mask.into_data(), grid.clone())?,
            None => mask,
        })
    }
}

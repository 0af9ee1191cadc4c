//! Radiomic features of one image and mask, as PyRadiomics computes them with the same parameter file.
//!
//! `cargo run --release --example extract_features -- IMAGE MASK [PARAMETERS] [--label N]`

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::PathBuf;

use alnm_imaging::{read_image, read_mask};
use alnm_radiomics::{Extractor, Parameters};
use anyhow::{Context, Result};
use clap::Parser;

/// Print the features of one region, one `name,value` a line.
#[derive(Debug, Parser)]
struct Options {
    /// Image: NRRD or NIfTI
    image: PathBuf,
    /// Mask on the image's grid
    mask: PathBuf,
    /// PyRadiomics parameter file (YAML); without it PyRadiomics' defaults
    parameters: Option<PathBuf>,
    /// Label of the region
    #[arg(long, default_value_t = 1)]
    label: u32,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let parameters = match &options.parameters {
        None => Parameters::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            Parameters::from_yaml(&text).with_context(|| path.display().to_string())?
        }
    };
    let (image, mask) = (read_image(&options.image)?, read_mask(&options.mask)?);
    let extraction = Extractor::new(parameters).execute(&image, &mask, options.label)?;
    extraction.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    println!("feature,value");
    extraction.features.iter().for_each(|feature| println!("{},{}", feature.id, feature.value));
    Ok(())
}

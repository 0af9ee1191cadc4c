//! What computes the features of a region: PyRadiomics' definitions, or those of the IBSI.

use alnm_imaging::with_volume;
use alnm_radiomics::{Extractor, ibsi};
use anyhow::{Result, ensure};
use clap::ValueEnum;

use super::log::Log;
use super::table::{Cell, Row};
use super::{ExtractArgs, Mode, Region, parameters, pyradiomics_features};

/// Whose definitions are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Profile {
    Pyradiomics,
    Ibsi,
}

/// Grey levels of the IBSI profile without a parameter file.
const DEFAULT_DISCRETISATION: ibsi::IbsiDiscretisation = ibsi::IbsiDiscretisation::FixedBinNumber(32);

/// A checked set of parameters, ready to extract.
pub(super) enum Engine {
    PyRadiomics(Box<Extractor>),
    Ibsi(Box<ibsi::IbsiExtractor>),
}

impl Engine {
    /// The engine that the command line asks for.
    pub(super) fn new(arguments: &ExtractArgs, log: &Log) -> Result<Self> {
        match arguments.profile {
            Profile::Pyradiomics => Ok(Self::PyRadiomics(Box::new(Extractor::new(parameters(arguments, log)?)))),
            Profile::Ibsi => {
                ensure!(
                    arguments.setting.is_empty(),
                    "--setting changes PyRadiomics' settings; write those of the IBSI profile to a file for --param"
                );
                ensure!(arguments.mode == Mode::Segment, "the IBSI profile has no voxel-based maps; leave --mode away");
                let profile = match &arguments.param {
                    Some(path) => ibsi::IbsiProfile::from_file(path)?,
                    None => ibsi::IbsiProfile::default().with_discretisation(DEFAULT_DISCRETISATION),
                };
                Ok(Self::Ibsi(Box::new(profile.check()?)))
            }
        }
    }

    /// The label of the region where a case names none.
    pub(super) fn label(&self, arguments: &ExtractArgs) -> u32 {
        match self {
            Self::PyRadiomics(extractor) => extractor.parameters().settings().label,
            Self::Ibsi(_) => arguments.label.unwrap_or(1),
        }
    }

    /// The channel of the mask where a case names none.
    pub(super) fn label_channel(&self) -> usize {
        match self {
            Self::PyRadiomics(extractor) => extractor.parameters().settings().label_channel,
            Self::Ibsi(_) => 0,
        }
    }

    /// The columns beside the input columns, for images with `dimension` axes, where the parameters tell them.
    pub(super) fn columns(&self, dimension: usize) -> Option<Vec<String>> {
        match self {
            Self::PyRadiomics(extractor) => {
                Some([extractor.diagnostic_columns(), extractor.feature_columns(dimension)].concat())
            }
            Self::Ibsi(_) => None,
        }
    }

    /// What a region's row has beside the input columns.
    pub(super) fn features(&self, arguments: &ExtractArgs, number: usize, region: Region, log: &Log) -> Result<Row> {
        match self {
            Self::PyRadiomics(extractor) => pyradiomics_features(arguments, extractor, number, region, log),
            Self::Ibsi(extractor) => {
                let extraction =
                    with_volume!(&region.image, image => extractor.extract(image, &region.mask, region.label))?;
                Ok(extraction.features.iter().map(|feature| (feature.column(), Cell::Number(feature.value))).collect())
            }
        }
    }
}

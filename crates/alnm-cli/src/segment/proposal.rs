//! `--propose`: seeds and outlines of lesions in a dynamic series.

use std::path::{Path, PathBuf};

use alnm_imaging::LabelMap;
use alnm_imaging::dce::DynamicSeries;
use alnm_segmentation::proposal::{LesionCandidate, LesionProposalParams, ProposedLesions};
use alnm_stats::cells;
use alnm_stats::data_table::{Cell, DataTable};
use anyhow::ensure;

use crate::exit::wrong_value;
use crate::messages::{inform, warn};
use crate::options::ImageOutput;

/// How lesions are proposed, and what is written of them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Proposal of lesions")]
pub(super) struct ProposalOptions {
    /// Find lesions without a seed: IMAGE is a dynamic series, a DICOM folder or a file of four dimensions. Parts of
    /// the breasts that enhance early are ranked by volume, enhancement, kinetics and shape, and outlined by fuzzy
    /// c-means. With a speed (--lower, --edges and so on) the contour grows from the first candidate; without one the
    /// candidates are the mask. A reader has to look at them: the rules were tried on simulated series alone.
    #[arg(long, conflicts_with_all = ["seed", "seed_voxel", "seeds"])]
    pub(super) propose: bool,
    /// Seconds from the first phase to each, where the files state none.
    #[arg(long, value_name = "S,S,...", value_delimiter = ',', num_args = 1, requires = "propose")]
    pub(super) times: Vec<f64>,
    /// Relative enhancement of candidates in the early phase.
    #[arg(long, value_name = "X", default_value_t = 0.5, requires = "propose")]
    enhancement: f64,
    /// Seconds after the first phase at which the early phases end.
    #[arg(long, value_name = "S", default_value_t = 120.0, requires = "propose")]
    early: f64,
    /// Candidates at most; in the mask the first is 1, the second 2.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "propose")]
    candidates: usize,
    /// File for a table of the candidates: seed, volume, kinetics, confidence.
    #[arg(long, value_name = "FILE", requires = "propose")]
    candidates_out: Option<PathBuf>,
    /// File for the share of each voxel in the cluster of its lesion.
    #[arg(long, value_name = "FILE", requires = "propose")]
    membership_out: Option<PathBuf>,
}

impl ProposalOptions {
    /// The images that are written beside the mask.
    pub(super) fn images(&self) -> impl Iterator<Item = &Path> {
        self.membership_out.iter().map(PathBuf::as_path)
    }

    /// The tables that are written.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.candidates_out.iter().map(PathBuf::as_path)
    }

    /// The proposal of a series, after what is asked for beside the mask was written.
    pub(super) fn of(&self, series: &DynamicSeries, written: &ImageOutput) -> anyhow::Result<ProposedLesions> {
        let params = LesionProposalParams::default()
            .with_enhancement(self.enhancement)
            .with_early_seconds(self.early)
            .with_candidates(self.candidates);
        let found = params.check().map_err(wrong_value)?.propose(series)?;
        ensure!(
            !found.candidates.is_empty(),
            "nothing in the breasts enhances by more than {}; lower --enhancement, or give a seed",
            self.enhancement
        );
        if found.breast.chest_begin.is_none() {
            warn("no notch between two breasts was found, so nothing was left out as chest");
        }
        for (label, candidate) in (1..).zip(&found.candidates) {
            inform(told(label, candidate));
        }
        if found.further_candidates > 0 {
            inform(format_args!("{} more parts enhance; --candidates takes more", found.further_candidates));
        }
        if let Some(path) = &self.membership_out {
            written.write(path, &found.membership.clone().into())?;
        }
        if let Some(path) = &self.candidates_out {
            written.overwriting.write_file(path, table(&found.candidates)?.to_csv().as_bytes())?;
        }
        Ok(found)
    }
}

/// The first candidate, as 1.
pub(super) fn first(found: &ProposedLesions) -> LabelMap {
    found.mask.map(|&label| u32::from(label == 1))
}

fn told(label: u32, candidate: &LesionCandidate) -> String {
    let LesionCandidate { seed: [x, y, z], volume, enhancement, confidence, .. } = candidate;
    let late = match candidate.delayed_change {
        Some(change) => format!("then {:+.0} %", 100.0 * change),
        None => "no late phase".to_owned(),
    };
    format!(
        "candidate {label} at {x:.1},{y:.1},{z:.1}: {volume:.0} mm³, enhancement {:.0} %, {late}, confidence {confidence:.2}",
        100.0 * enhancement
    )
}

fn table(candidates: &[LesionCandidate]) -> anyhow::Result<DataTable> {
    let columns =
        ["label", "x", "y", "z", "depth", "volume", "enhancement", "delayed_change", "compactness", "confidence"];
    let mut table = DataTable::new(columns)?;
    for (label, candidate) in (1_u64..).zip(candidates) {
        let [x, y, z] = candidate.seed;
        let mut row = cells![label, x, y, z, candidate.depth, candidate.volume, candidate.enhancement];
        row.push(Cell::from(candidate.delayed_change));
        row.extend(cells![candidate.compactness, candidate.confidence]);
        table.push(row)?;
    }
    Ok(table)
}

//! How well lesions of simulated dynamic series are proposed without a seed.
//!
//! The patients of a simulated cohort are imaged in nine phases, lesions are proposed, and the first candidate is
//! compared with the outline of the simulated reader. A patient without a candidate, or whose first candidate has a
//! Dice coefficient below a half, is a failure. Nothing in it comes from a patient, and nothing is claimed about
//! patients.
//!
//! ```text
//! cargo run --release --example propose_lesions -- --patients 60 --seed 7
//! ```

#![allow(clippy::print_stdout)]

use alnm_examples::simulation::Simulation;
use alnm_segmentation::agreement::OutlineComparisonParams;
use alnm_segmentation::proposal::LesionProposalParams;
use anyhow::Result;
use clap::Parser;

/// Dice coefficient below which the first candidate is another part than the lesion, or a small piece of it.
const FAILURE: f64 = 0.5;

#[derive(Debug, Parser)]
struct Arguments {
    /// Patients, from 36 to 333.
    #[arg(long, default_value_t = 60)]
    patients: usize,
    /// Seed of the simulation.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

fn main() -> Result<()> {
    let Arguments { patients, seed } = Arguments::parse();
    let proposal = LesionProposalParams::default().check()?;
    let comparison = OutlineComparisonParams::default().with_labels([1]).check()?;
    let mut found = Vec::new();
    for lesion in Simulation::reduced(patients, seed)?.lesions() {
        let lesion = lesion?;
        let proposed = proposal.propose(&lesion.series)?;
        let agreement = comparison.compare(&lesion.outline, &proposed.mask)?;
        let overlap = &agreement.labels[0].overlap;
        if overlap.dice < FAILURE {
            let first = proposed.candidates.first();
            println!(
                "{}: {} mm³, Dice {:.3}, proposed {first:?}",
                lesion.patient, overlap.reference_volume, overlap.dice
            );
        }
        found.push((overlap.dice, proposed.candidates.len()));
    }
    let mut dice: Vec<f64> = found.iter().map(|(dice, _)| *dice).collect();
    dice.sort_by(f64::total_cmp);
    let at = |share: f64| dice[((dice.len() - 1) as f64 * share).round() as usize];
    let failures = dice.iter().filter(|dice| **dice < FAILURE).count();
    let alone = found.iter().filter(|(_, candidates)| *candidates == 1).count();
    println!("{} simulated lesions, {failures} failures (Dice below {FAILURE})", dice.len());
    println!("Dice: median {:.3}, quartiles {:.3} to {:.3}, smallest {:.3}", at(0.5), at(0.25), at(0.75), dice[0]);
    println!("one candidate alone in {alone}");
    Ok(())
}

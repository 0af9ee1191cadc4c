//! What the command `alnm` shares with programs that compose the crates: pages made from fitted models.

pub mod calculator;

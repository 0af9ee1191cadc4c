#![doc = include_str!("../README.md")]

pub mod agreement;
pub mod breast;
pub mod consensus;
pub mod contour;
mod error;
pub mod fuzzy_c_means;
pub mod growing;
pub mod morphology;
pub mod proposal;
pub mod seeds;
pub mod speed;
pub mod watershed;

pub use error::{Result, SegmentationError};

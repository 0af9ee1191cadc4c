#![doc = include_str!("../README.md")]

pub mod agreement;
pub mod consensus;
pub mod contour;
mod error;
pub mod growing;
pub mod morphology;
pub mod seeds;
pub mod speed;

pub use error::{Result, SegmentationError};

//! The same networks computed by candle: on CUDA, and as an independent check of the CPU engine.

mod network;
mod optimiser;
mod pooling;
mod trainer;

use candle_core::DType;

pub use network::CandleNetwork;
pub use trainer::{CandleGradients, CandleTrainer};

use crate::error::DeepError;

/// The device that candle computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CandleDevice {
    /// This processor; [`crate::Predictor`] and [`crate::Trainer`] are many times faster there.
    #[default]
    Cpu,
    /// An NVIDIA GPU; needs the Cargo feature `cuda`.
    Cuda {
        /// Number of the GPU among those of the machine, from 0.
        ordinal: usize,
    },
}

/// The floating-point numbers that candle computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum CandlePrecision {
    /// 32-bit floating-point numbers.
    #[default]
    Single,
    /// 64-bit floating-point numbers.
    Double,
}

impl CandlePrecision {
    fn of_candle(self) -> DType {
        match self {
            Self::Single => DType::F32,
            Self::Double => DType::F64,
        }
    }
}

/// Why a computation by candle failed. It becomes a [`DeepError`] in the public methods, so that no type of candle is
/// part of the crate's interface.
#[derive(Debug)]
enum Failure {
    Candle(candle_core::Error),
    Deep(DeepError),
}

impl From<candle_core::Error> for Failure {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error)
    }
}

impl From<DeepError> for Failure {
    fn from(error: DeepError) -> Self {
        Self::Deep(error)
    }
}

impl From<Failure> for DeepError {
    fn from(failure: Failure) -> Self {
        match failure {
            // With RUST_BACKTRACE set, the lines after the first are a backtrace.
            Failure::Candle(error) => Self::Candle(error.to_string().lines().next().unwrap_or_default().to_owned()),
            Failure::Deep(error) => error,
        }
    }
}

//! What can go wrong with a network, its weights or its training.

/// The result of an operation on networks.
pub type Result<T, E = DeepError> = std::result::Result<T, E>;

/// What can go wrong with a network, its weights or its training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeepError {
    /// A tensor of another shape than the operation takes.
    #[error("{operation}: got shape {got:?}, expected {expected}")]
    Shape {
        /// What was to be done.
        operation: &'static str,
        /// The shape found.
        got: Vec<usize>,
        /// The shape asked for.
        expected: String,
    },
    /// A parameter outside its range.
    #[error("{name} is {value}, but must be {requirement}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// The value found.
        value: String,
        /// Its range.
        requirement: &'static str,
    },
    /// A number that is NaN or infinite.
    #[error("{operation}: the value at {position} is {value}; only finite numbers are accepted")]
    NotFinite {
        /// What was to be done.
        operation: &'static str,
        /// Where the number stands.
        position: String,
        /// The number.
        value: f64,
    },
    /// An image or mask that does not do.
    #[error(transparent)]
    Imaging(#[from] alnm_imaging::ImagingError),
    /// A weight file that could not be read or written.
    #[error("weights {path}: {reason}")]
    WeightFile {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file that could not be downloaded.
    #[error("download of {url}: {reason}")]
    Download {
        /// Where it was to come from.
        url: String,
        /// Why.
        reason: String,
    },
    /// Weights that do not fit the network.
    #[error("the weights do not fit the network: {0}")]
    WeightMismatch(crate::weights::WeightReport),
    /// candle, or the device that it computes on, failed.
    #[error("candle: {0}")]
    Candle(String),
    /// Training stopped because the loss was no longer finite.
    #[error(
        "the loss is {loss} in epoch {epoch}, batch {batch}; a lower learning rate or gradient clipping would help"
    )]
    Diverged {
        /// Epoch, from 0.
        epoch: usize,
        /// Batch within the epoch, from 0.
        batch: usize,
        /// The loss.
        loss: f64,
    },
    /// The observer asked to stop.
    #[error("training was cancelled in epoch {epoch}")]
    Cancelled {
        /// Epoch, from 0.
        epoch: usize,
    },
}

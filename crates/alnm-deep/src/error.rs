//! What can go wrong with a network, its weights or its training.

use std::fmt;
use std::path::Path;

use crate::weight_report::WeightReport;

/// The result of an operation on networks.
pub type Result<T, E = DeepError> = std::result::Result<T, E>;

/// What can go wrong with a network, its weights or its training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeepError {
    /// A tensor has another shape than the operation takes.
    #[error("the shape of the {operation} is {got:?}; it must be {expected}")]
    Shape {
        /// What the tensor was meant for.
        operation: &'static str,
        /// The shape found.
        got: Vec<usize>,
        /// The shape asked for.
        expected: String,
    },
    /// A parameter is outside its range.
    #[error("{name} is {value}; it must be {requirement}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// The value found.
        value: String,
        /// Its range.
        requirement: String,
    },
    /// A network has no output of the name that was asked for.
    #[error("the output is \"{name}\"; it must be one of {}", known.join(", "))]
    UnknownStage {
        /// The name that was asked for.
        name: String,
        /// The names of the network's outputs, in order of computation.
        known: Vec<String>,
    },
    /// A number is NaN or infinite.
    #[error("the {operation} is {value} at {position}; it must be finite everywhere")]
    NotFinite {
        /// What holds the number.
        operation: &'static str,
        /// Where the number stands.
        position: String,
        /// The number.
        value: f64,
    },
    /// An image or a mask cannot be used as it is; the error of alnm-imaging says why.
    #[error(transparent)]
    Imaging(#[from] alnm_imaging::ImagingError),
    /// A file of weights, a saved network or a checkpoint cannot be read or written.
    #[error("weights {path}: {reason}")]
    WeightFile {
        /// The file.
        path: String,
        /// Why, and what would help.
        reason: String,
    },
    /// A file cannot be downloaded.
    #[error("download of {url}: {reason}")]
    Download {
        /// Where it was to come from.
        url: String,
        /// Why.
        reason: String,
    },
    /// An ONNX network cannot be read or run.
    #[error("ONNX network {network}: {reason}")]
    Onnx {
        /// The file.
        network: String,
        /// Why, with the operator that it is about.
        reason: String,
    },
    /// Weights do not fit the network; their names and shapes must be those of torchvision's network.
    #[error("the weights do not fit the network: {0}")]
    WeightMismatch(Box<WeightReport>),
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
    /// The observer of a volume that is computed window by window asked to stop.
    #[error("windows of a volume: cancelled after {done} of {total}")]
    Stopped {
        /// Windows done.
        done: usize,
        /// Windows in all.
        total: usize,
    },
    /// The observer asked to stop.
    #[error("training: cancelled in epoch {epoch}")]
    Cancelled {
        /// Epoch, from 0.
        epoch: usize,
    },
}

impl DeepError {
    /// A parameter outside its range.
    pub(crate) fn parameter(name: &'static str, value: impl fmt::Display, requirement: impl Into<String>) -> Self {
        Self::Parameter { name, value: value.to_string(), requirement: requirement.into() }
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(path: &Path, reason: impl fmt::Display) -> Self {
        // Messages of other crates may have several lines.
        let reason = reason.to_string().lines().next().unwrap_or_default().to_owned();
        Self::WeightFile { path: path.display().to_string(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_what_it_must_be() {
        let shape = DeepError::Shape { operation: "labels of a batch", got: vec![3], expected: "4".to_owned() };
        assert_eq!(shape.to_string(), "the shape of the labels of a batch is [3]; it must be 4");
        let parameter = DeepError::parameter("epochs", 0, "at least 1");
        assert_eq!(parameter.to_string(), "epochs is 0; it must be at least 1");
        let known = ["layer4", "fc"].map(str::to_owned).to_vec();
        let stage = DeepError::UnknownStage { name: "layer9".to_owned(), known };
        assert_eq!(stage.to_string(), "the output is \"layer9\"; it must be one of layer4, fc");
        let position = "image 0, row 3, column 13, channel 1".to_owned();
        let number = DeepError::NotFinite { operation: "network input", position, value: f64::NAN };
        assert_eq!(
            number.to_string(),
            "the network input is NaN at image 0, row 3, column 13, channel 1; it must be finite everywhere"
        );
        let file = DeepError::file(Path::new("a.pth"), "cut off\nat byte 3");
        assert_eq!(file.to_string(), "weights a.pth: cut off");
    }
}

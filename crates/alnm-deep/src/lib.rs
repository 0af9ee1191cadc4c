#![doc = include_str!("../README.md")]

mod augmentation;
mod backbone;
mod candle_network;
mod error;
mod grad_cam;
mod graph;
#[cfg(feature = "hub")]
mod hub;
mod inference;
mod kernel;
mod lesion;
mod network;
mod optimiser;
mod preparation;
mod pth;
mod read_out;
mod tensor;
mod trainer;
mod training;
mod weights;

pub use augmentation::{Augmentation, Transform, rotate};
pub use backbone::{Backbone, FEATURES};
pub use candle_network::{CandleDevice, CandleGradients, CandleNetwork, CandleTrainer, Precision};
pub use error::{DeepError, Result};
pub use grad_cam::{ChannelWeights, grad_cam};
#[cfg(feature = "hub")]
pub use hub::{Hub, PublishedWeights};
pub use inference::Predictor;
pub use kernel::microkernel::Instructions;
pub use lesion::LesionCrop;
pub use network::{Head, Initialisation, Network};
pub use optimiser::{Optimiser, ParameterGroup, Schedule, WeightDecayRule};
pub use preparation::{Preparation, network_input};
pub use read_out::{BackboneFeatures, FeatureExtractor, Views, compare_backbones, features, occlusion_map};
pub use tensor::Tensor;
pub use trainer::{BatchGradients, CrossEntropyLoss, NormMoments, Trainer};
pub use training::{
    ClassWeights, EpochRecord, Example, TrainedNetwork, TrainingEvent, TrainingParams, ValidTrainingParams, fine_tune,
};
pub use weights::{MAXIMUM_FILE_BYTES, StateDict, StateTensor, WeightReport, read_state_dict};

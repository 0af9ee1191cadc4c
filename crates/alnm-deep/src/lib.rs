#![doc = include_str!("../README.md")]

mod augmentation;
mod backbone;
#[cfg(feature = "candle")]
mod candle;
mod ensemble;
mod error;
mod feature_extractor;
mod features;
mod grad_cam;
mod graph;
mod half_precision;
#[cfg(feature = "hub")]
mod hub;
mod kernel;
mod lesion;
mod loss;
mod network;
mod occlusion;
mod onnx;
mod optimiser;
mod parameter_group;
mod predictor;
mod preparation;
mod pth;
mod safetensors;
mod saved_file;
mod saved_network;
mod state_dict;
mod temperature;
mod tensor;
mod trainer;
mod training;
mod weight_file;
mod weight_report;

pub use augmentation::{Augmentation, Transform, rotate};
pub use backbone::{Backbone, FEATURES};
#[cfg(feature = "candle")]
pub use candle::{CandleDevice, CandleGradients, CandleNetwork, CandlePrecision, CandleTrainer};
pub use ensemble::{Ensemble, EnsembleParams, EnsemblePrediction, EnsembleTraining};
pub use error::{DeepError, Result};
pub use feature_extractor::FeatureExtractor;
pub use features::{BackboneFeatures, Views, compare_backbones, features, probabilities};
pub use grad_cam::{ChannelWeights, GradCamOptions, grad_cam};
#[cfg(feature = "hub")]
pub use hub::{Hub, PublishedWeights};
pub use kernel::microkernel::Instructions;
pub use lesion::LesionCrop;
pub use loss::CrossEntropyLoss;
pub use network::{Head, Initialisation, Network, Recomputation};
pub use occlusion::{OcclusionOptions, occlusion_map};
pub use onnx::{
    ChannelNormalisation, OnnxInput, OnnxNetwork, OnnxValue, SlidingWindow, SlidingWindowParams, VolumeSegmentation,
    VolumeSegmentationParams, WindowWeighting,
};
pub use optimiser::{Optimiser, Schedule, WeightDecayRule};
pub use parameter_group::ParameterGroup;
pub use predictor::Predictor;
pub use preparation::{Preparation, PreparationParams, network_input};
pub use saved_network::DescribedNetworkFormat;
pub use state_dict::{MAXIMUM_FILE_BYTES, StateDict, StateTensor};
pub use temperature::Temperature;
pub use tensor::Tensor;
pub use trainer::{BatchGradients, NormMoments, Trainer};
pub use training::{
    ClassWeights, EpochRecord, Example, InnerFolds, RangeTest, RangeTestParams, RatePoint, TrainedNetwork, Training,
    TrainingEvent, TrainingParams, fine_tune,
};
pub use weight_file::read_state_dict;
pub use weight_report::{WeightReport, WrongShape};

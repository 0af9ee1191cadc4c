//! Every public type can be sent to and shared with other threads.

use alnm_deep::*;

fn is_shared<T: Send + Sync + Sized + Unpin>() {}

#[test]
fn public_types_can_be_shared_between_threads() {
    is_shared::<Augmentation>();
    is_shared::<Transform>();
    is_shared::<Backbone>();
    is_shared::<BackboneFeatures>();
    is_shared::<BatchGradients>();
    is_shared::<ChannelWeights>();
    is_shared::<ClassWeights>();
    is_shared::<CrossEntropyLoss>();
    is_shared::<DeepError>();
    is_shared::<Ensemble>();
    is_shared::<EnsembleParams>();
    is_shared::<EnsemblePrediction>();
    is_shared::<EnsembleTraining>();
    is_shared::<EpochRecord>();
    is_shared::<Example>();
    is_shared::<GradCamOptions>();
    is_shared::<Head>();
    is_shared::<Initialisation>();
    is_shared::<InnerFolds>();
    is_shared::<Instructions>();
    is_shared::<LesionCrop>();
    is_shared::<Network>();
    is_shared::<NormMoments>();
    is_shared::<OcclusionOptions>();
    is_shared::<OnnxInput>();
    is_shared::<OnnxNetwork>();
    is_shared::<OnnxValue>();
    is_shared::<Optimiser>();
    is_shared::<ParameterGroup>();
    is_shared::<Predictor>();
    is_shared::<Preparation>();
    is_shared::<PreparationParams>();
    is_shared::<RangeTest>();
    is_shared::<RangeTestParams>();
    is_shared::<RatePoint>();
    is_shared::<Recomputation>();
    is_shared::<Schedule>();
    is_shared::<SlidingWindow>();
    is_shared::<SlidingWindowParams>();
    is_shared::<StateDict>();
    is_shared::<StateTensor>();
    is_shared::<Temperature>();
    is_shared::<Tensor>();
    is_shared::<TrainedNetwork>();
    is_shared::<Trainer>();
    is_shared::<Training>();
    is_shared::<TrainingEvent<'static>>();
    is_shared::<TrainingParams>();
    is_shared::<Views>();
    is_shared::<WeightDecayRule>();
    is_shared::<WeightReport>();
    is_shared::<WindowWeighting>();
    is_shared::<WrongShape>();
}

#[cfg(feature = "candle")]
#[test]
fn candles_types_can_be_shared_between_threads() {
    is_shared::<CandleDevice>();
    is_shared::<CandleGradients>();
    is_shared::<CandleNetwork>();
    is_shared::<CandlePrecision>();
    is_shared::<CandleTrainer>();
}

#[cfg(feature = "hub")]
#[test]
fn types_of_the_hub_can_be_shared_between_threads() {
    is_shared::<Hub>();
    is_shared::<PublishedWeights>();
}

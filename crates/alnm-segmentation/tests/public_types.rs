//! Public types can be sent to and shared between threads, and parameters survive a round trip as JSON.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use alnm_segmentation::SegmentationError;
use alnm_segmentation::agreement::{
    LabelAgreement, OutlineAgreement, OutlineComparison, OutlineComparisonParams, OutlineDistances, RegionOverlap,
    SliceAgreement, SurfelDistances, VoxelDistances,
};
use alnm_segmentation::breast::{BreastMask, BreastMaskParams, BreastMasking};
use alnm_segmentation::consensus::{RaterPerformance, Staple, StapleConsensus, StapleParams};
use alnm_segmentation::contour::{
    ActiveContour, ActiveContourParams, ContourIteration, ContourWarning, EvolvedContour,
};
use alnm_segmentation::fuzzy_c_means::{FuzzyCMeans, FuzzyCMeansParams, FuzzyClusters};
use alnm_segmentation::growing::{ConfidenceConnected, ConfidenceConnectedParams, ConfidentRegion};
use alnm_segmentation::morphology::StructuringElement;
use alnm_segmentation::proposal::{LesionCandidate, LesionProposal, LesionProposalParams, ProposedLesions};
use alnm_segmentation::seeds::Bubble;
use alnm_segmentation::speed::{
    EdgeSpeed, EdgeSpeedParams, ForestLearning, ForestParams, GaussianMixture, MixtureClass, MixtureFit, MixtureParams,
    ScribbleForest, ThresholdSpeed, ThresholdSpeedParams, ThresholdSpeedSource,
};
use alnm_segmentation::watershed::{Watershed, WatershedParams};

fn auto_traits<T: Send + Sync + Sized + Unpin>() {}

#[test]
fn all_types_can_cross_threads() {
    auto_traits::<ActiveContour>();
    auto_traits::<ActiveContourParams>();
    auto_traits::<Bubble>();
    auto_traits::<ConfidenceConnected>();
    auto_traits::<ConfidenceConnectedParams>();
    auto_traits::<ConfidentRegion>();
    auto_traits::<ContourIteration>();
    auto_traits::<ContourWarning>();
    auto_traits::<EdgeSpeed>();
    auto_traits::<EdgeSpeedParams>();
    auto_traits::<EvolvedContour>();
    auto_traits::<GaussianMixture>();
    auto_traits::<LabelAgreement>();
    auto_traits::<MixtureClass>();
    auto_traits::<MixtureFit>();
    auto_traits::<MixtureParams>();
    auto_traits::<OutlineAgreement>();
    auto_traits::<OutlineComparison>();
    auto_traits::<OutlineComparisonParams>();
    auto_traits::<OutlineDistances>();
    auto_traits::<RaterPerformance>();
    auto_traits::<RegionOverlap>();
    auto_traits::<SegmentationError>();
    auto_traits::<SliceAgreement>();
    auto_traits::<Staple>();
    auto_traits::<StapleConsensus>();
    auto_traits::<StapleParams>();
    auto_traits::<StructuringElement>();
    auto_traits::<SurfelDistances>();
    auto_traits::<ThresholdSpeed>();
    auto_traits::<ThresholdSpeedParams>();
    auto_traits::<ThresholdSpeedSource<'_>>();
    auto_traits::<BreastMask>();
    auto_traits::<BreastMaskParams>();
    auto_traits::<BreastMasking>();
    auto_traits::<FuzzyCMeans>();
    auto_traits::<FuzzyCMeansParams>();
    auto_traits::<FuzzyClusters>();
    auto_traits::<LesionCandidate>();
    auto_traits::<LesionProposal>();
    auto_traits::<LesionProposalParams>();
    auto_traits::<ProposedLesions>();
    auto_traits::<ForestLearning>();
    auto_traits::<ForestParams>();
    auto_traits::<ScribbleForest>();
    auto_traits::<Watershed>();
    auto_traits::<WatershedParams>();
    auto_traits::<VoxelDistances>();
}

#[test]
fn parameters_come_back_from_json() {
    let params = ActiveContourParams::edges().with_iterations(7).with_rms_change(0.01);
    let text = serde_json::to_string(&params).unwrap();
    assert_eq!(serde_json::from_str::<ActiveContourParams>(&text).unwrap(), params);
    assert!(serde_json::from_str::<ActiveContourParams>(r#"{"iteration": 7}"#).is_err());
    let params = ThresholdSpeedParams::default().with_lower(0.1).with_smoothness(5.0);
    let text = serde_json::to_string(&params).unwrap();
    assert_eq!(serde_json::from_str::<ThresholdSpeedParams>(&text).unwrap(), params);
    let params = LesionProposalParams::default().with_candidates(2).with_margin(7.0);
    let text = serde_json::to_string(&params).unwrap();
    assert_eq!(serde_json::from_str::<LesionProposalParams>(&text).unwrap(), params);
    let params = ForestParams::default().with_trees(9).with_radius([2, 2, 0]).with_seed(3);
    let text = serde_json::to_string(&params).unwrap();
    assert_eq!(serde_json::from_str::<ForestParams>(&text).unwrap(), params);
    let params = WatershedParams::default().with_level(2.0).with_line(false);
    let text = serde_json::to_string(&params).unwrap();
    assert_eq!(serde_json::from_str::<WatershedParams>(&text).unwrap(), params);
    let params = OutlineComparisonParams::default().with_labels([1, 2]).with_per_slice(true);
    let text = serde_json::to_string(&params).unwrap();
    assert_eq!(serde_json::from_str::<OutlineComparisonParams>(&text).unwrap(), params);
}

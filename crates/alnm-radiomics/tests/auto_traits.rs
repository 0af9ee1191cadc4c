//! Every public type may be sent to and shared between threads.

use alnm_radiomics::filter::wavelet::{Filters, SubBand, WaveletTransform};
use alnm_radiomics::ibsi::{IbsiDefinition, IbsiProfile};
use alnm_radiomics::parameters::{ImageTypeRequest, ParameterError, ParametersBuilder, Settings};
use alnm_radiomics::{
    Diagnostic, Extraction, Extractor, FeatureId, FeatureMap, FilteredImages, LevelMap, MapExtraction, Parameters,
    RadiomicsError, Selection, SizeMatrix, Warning,
};

fn is_shareable<T: Send + Sync + Unpin>() {}

#[test]
fn public_types_are_send_sync_and_unpin() {
    is_shareable::<Extractor>();
    is_shareable::<Extraction>();
    is_shareable::<FilteredImages>();
    is_shareable::<MapExtraction>();
    is_shareable::<FeatureMap>();
    is_shareable::<FeatureId>();
    is_shareable::<Selection>();
    is_shareable::<Diagnostic>();
    is_shareable::<Warning>();
    is_shareable::<RadiomicsError>();
    is_shareable::<Parameters>();
    is_shareable::<ParametersBuilder>();
    is_shareable::<ImageTypeRequest>();
    is_shareable::<Settings>();
    is_shareable::<ParameterError>();
    is_shareable::<LevelMap>();
    is_shareable::<SizeMatrix>();
    is_shareable::<alnm_radiomics::glcm::CooccurrenceMatrix>();
    is_shareable::<alnm_radiomics::ngtdm::ToneDifferenceMatrix>();
    is_shareable::<alnm_radiomics::shape::Shape>();
    is_shareable::<alnm_radiomics::shape2d::Shape2D>();
    is_shareable::<alnm_radiomics::first_order::FirstOrder>();
    is_shareable::<Filters>();
    is_shareable::<SubBand>();
    is_shareable::<WaveletTransform>();
    is_shareable::<IbsiProfile>();
    is_shareable::<IbsiDefinition>();
}

//! What can be sent to another thread.

use alnm_imaging::dce::{DynamicSeries, Kinetics, KineticsParams, KineticsRule, TimeIntensityCurve};
#[cfg(feature = "dicom")]
use alnm_imaging::dicom::{
    CodedConcept, ColourPage, Contour, ContourHoles, DerivedSeries, DicomFolder, FractionMeaning, Instance, MaskFile,
    MeasuredRegion, MeasuredValue, MeasurementReportParams, MeasurementReportWriter, ParametricMapParams,
    ParametricMapWriter, Phase, Segment, SegmentAlgorithm, SegmentReference, Segmentation, SegmentationKind,
    SegmentationParams, SegmentationWriter, Series, SeriesAttributes, SeriesProblem, SourceImages, StructureSet,
    StructureSetParams, StructureSetRoi, StructureSetWriter,
};
use alnm_imaging::file::{AtomicFile, Source};
use alnm_imaging::habitat::{HabitatLearner, HabitatMixture, HabitatModel, HabitatParams, KMeans};
use alnm_imaging::intensity::{IntensityStatistics, Landmark};
use alnm_imaging::kinetics::tofts::{InputFunction, SignalModel, ToftsFitter, ToftsMaps, ToftsParams};
use alnm_imaging::kinetics::{
    CurveAnalysis, KineticMaps, RegionCurve, RegionKinetics, VoxelKinetics, VoxelKineticsParams,
};
use alnm_imaging::mask::{Mask, MaskParams, MaskProblem, MaskReader, MaskRef, MaskRegion, RegionChoice};
use alnm_imaging::n4::{BiasField, ControlGrid, Foreground, N4, N4Iteration, N4Level, N4Params, N4Result};
use alnm_imaging::region::{
    Components, Connectivity, CrossSection, RingDrawing, RingLimits, RingParams, Rings, Roi, VoxelBox,
};
use alnm_imaging::resample::{Interpolator, ResampledRoi, RoiResampling, RoiResamplingParams};
use alnm_imaging::standardisation::{HistogramReference, IntensityStandard, NyulScale, SiteScale, WhiteStripe};
use alnm_imaging::{
    FileFormat, FileProblem, Geometry, GeometryDifference, GeometryField, Image, ImagingError, LabelMap,
    NonFiniteVoxel, PixelType, Volume,
};

#[test]
fn public_types_are_send_sync_and_unpin() {
    fn check<T: Send + Sync + Unpin>() {}
    macro_rules! check_all {
        ($($t:ty),* $(,)?) => { $(check::<$t>();)* };
    }
    check_all!(
        AtomicFile,
        BiasField,
        Components,
        Connectivity,
        ControlGrid,
        CrossSection,
        CurveAnalysis,
        DynamicSeries,
        FileFormat,
        FileProblem,
        Foreground<'_>,
        HabitatMixture,
        HabitatLearner,
        HabitatModel,
        HabitatParams,
        HistogramReference,
        InputFunction,
        IntensityStandard,
        KMeans,
        KineticMaps,
        NyulScale,
        RegionCurve,
        RegionKinetics,
        RingDrawing,
        RingLimits<'_>,
        RingParams,
        Rings,
        SignalModel,
        SiteScale,
        ToftsFitter,
        ToftsMaps,
        ToftsParams,
        VoxelKinetics,
        VoxelKineticsParams,
        WhiteStripe,
        Geometry,
        GeometryDifference,
        GeometryField,
        Image,
        ImagingError,
        IntensityStatistics,
        Interpolator,
        Kinetics,
        KineticsParams,
        KineticsRule,
        LabelMap,
        Landmark<'_>,
        MaskParams,
        MaskProblem,
        Mask,
        MaskReader,
        MaskRef<'_>,
        MaskRegion,
        N4,
        N4Iteration,
        N4Level,
        N4Params,
        N4Result,
        NonFiniteVoxel,
        PixelType,
        RegionChoice,
        ResampledRoi,
        Roi<'_>,
        RoiResampling,
        RoiResamplingParams,
        Source,
        TimeIntensityCurve,
        Volume<f32>,
        VoxelBox,
    );
    #[cfg(feature = "dicom")]
    check_all!(
        CodedConcept,
        ColourPage,
        Contour,
        ContourHoles,
        DerivedSeries,
        DicomFolder,
        FractionMeaning,
        Instance,
        MaskFile,
        MeasuredRegion,
        MeasuredValue,
        MeasurementReportParams,
        MeasurementReportWriter,
        ParametricMapParams,
        ParametricMapWriter,
        Phase<u16>,
        Segment,
        SegmentAlgorithm,
        SegmentReference,
        Segmentation,
        SegmentationKind,
        SegmentationParams,
        SegmentationWriter,
        Series,
        SeriesAttributes,
        SeriesProblem,
        SourceImages,
        StructureSet,
        StructureSetParams,
        StructureSetRoi,
        StructureSetWriter,
    );
}

//! What the reference manual of the IBSI defines: families, features and aggregation methods, each with its identifier.
//!
//! The one place where an identifier is written: tables of formulas and results refer to the definitions here, so that
//! a code always stands with the name that it belongs to.

use serde::{Deserialize, Serialize};

/// A family of features of the reference manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IbsiFamily {
    /// Morphological features (HCUG).
    Morphology,
    /// Local intensity features (9ST6).
    LocalIntensity,
    /// Intensity-based statistical features (UHIW).
    Statistics,
    /// Intensity histogram features (ZVCW).
    IntensityHistogram,
    /// Intensity-volume histogram features (P88C).
    IntensityVolumeHistogram,
    /// Grey level co-occurrence based features (LFYI).
    Glcm,
    /// Grey level run length based features (TP0I).
    Glrlm,
    /// Grey level size zone based features (9SAK).
    Glszm,
    /// Grey level distance zone based features (VMDZ).
    Gldzm,
    /// Neighbourhood grey tone difference based features (IPET).
    Ngtdm,
    /// Neighbouring grey level dependence based features (REK0).
    Ngldm,
}

impl IbsiFamily {
    /// All families in the order of the reference manual.
    pub const ALL: [Self; 11] = [
        Self::Morphology,
        Self::LocalIntensity,
        Self::Statistics,
        Self::IntensityHistogram,
        Self::IntensityVolumeHistogram,
        Self::Glcm,
        Self::Glrlm,
        Self::Glszm,
        Self::Gldzm,
        Self::Ngtdm,
        Self::Ngldm,
    ];

    /// The family's features, in the order of the reference manual.
    #[must_use]
    pub const fn definitions(self) -> &'static [IbsiDefinition] {
        match self {
            Self::Morphology => morphology::ALL,
            Self::LocalIntensity => local_intensity::ALL,
            Self::Statistics => statistics::ALL,
            Self::IntensityHistogram => intensity_histogram::ALL,
            Self::IntensityVolumeHistogram => intensity_volume_histogram::ALL,
            Self::Glcm => glcm::ALL,
            Self::Glrlm => glrlm::ALL,
            Self::Glszm => glszm::ALL,
            Self::Gldzm => gldzm::ALL,
            Self::Ngtdm => ngtdm::ALL,
            Self::Ngldm => ngldm::ALL,
        }
    }

    /// Whether the family's features come from grey levels and their neighbours.
    pub(crate) const fn is_texture(self) -> bool {
        matches!(self, Self::Glcm | Self::Glrlm | Self::Glszm | Self::Gldzm | Self::Ngtdm | Self::Ngldm)
    }

    /// Whether an aggregation method applies to the family: six know what to do with directions, three are for matrices
    /// without them, and families without matrices have none.
    pub(crate) const fn knows(self, method: Aggregation) -> bool {
        match self {
            Self::Glcm | Self::Glrlm => method.directions().is_some(),
            Self::Glszm | Self::Gldzm | Self::Ngtdm | Self::Ngldm => method.directions().is_none(),
            _ => false,
        }
    }

    /// The family's identifier in the reference manual.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Morphology => "HCUG",
            Self::LocalIntensity => "9ST6",
            Self::Statistics => "UHIW",
            Self::IntensityHistogram => "ZVCW",
            Self::IntensityVolumeHistogram => "P88C",
            Self::Glcm => "LFYI",
            Self::Glrlm => "TP0I",
            Self::Glszm => "9SAK",
            Self::Gldzm => "VMDZ",
            Self::Ngtdm => "IPET",
            Self::Ngldm => "REK0",
        }
    }
}

/// A feature as the reference manual defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct IbsiDefinition {
    /// The family that it belongs to.
    pub family: IbsiFamily,
    /// Its identifier in the reference manual, four characters.
    pub code: &'static str,
    /// Its short name in the tables of reference values, without the aggregation.
    pub tag: &'static str,
    /// Its name in the reference manual.
    pub name: &'static str,
}

/// The features of one family, in the order of the reference manual: identifier, short name in the tables of reference
/// values, name.
macro_rules! definitions {
    ($family:ident in $module:ident: $($constant:ident $code:literal $tag:literal $name:literal)*) => {
        pub(crate) mod $module {
            use super::{IbsiDefinition, IbsiFamily};

            $(pub(crate) const $constant: IbsiDefinition =
                IbsiDefinition { family: IbsiFamily::$family, code: $code, tag: $tag, name: $name };)*

            pub(crate) const ALL: &[IbsiDefinition] = &[$($constant),*];
        }
    };
}

definitions! { Morphology in morphology:
    VOLUME_MESH "RNU0" "morph_volume" "Volume (mesh)"
    VOLUME_VOXEL_COUNTING "YEKZ" "morph_vol_approx" "Volume (voxel counting)"
    SURFACE_AREA_MESH "C0JK" "morph_area_mesh" "Surface area (mesh)"
    SURFACE_TO_VOLUME_RATIO "2PR5" "morph_av" "Surface to volume ratio"
    COMPACTNESS_1 "SKGS" "morph_comp_1" "Compactness 1"
    COMPACTNESS_2 "BQWJ" "morph_comp_2" "Compactness 2"
    SPHERICAL_DISPROPORTION "KRCK" "morph_sph_dispr" "Spherical disproportion"
    SPHERICITY "QCFX" "morph_sphericity" "Sphericity"
    ASPHERICITY "25C7" "morph_asphericity" "Asphericity"
    CENTRE_OF_MASS_SHIFT "KLMA" "morph_com" "Centre of mass shift"
    MAXIMUM_3D_DIAMETER "L0JK" "morph_diam" "Maximum 3D diameter"
    MAJOR_AXIS_LENGTH "TDIC" "morph_pca_maj_axis" "Major axis length"
    MINOR_AXIS_LENGTH "P9VJ" "morph_pca_min_axis" "Minor axis length"
    LEAST_AXIS_LENGTH "7J51" "morph_pca_least_axis" "Least axis length"
    ELONGATION "Q3CK" "morph_pca_elongation" "Elongation"
    FLATNESS "N17B" "morph_pca_flatness" "Flatness"
    VOLUME_DENSITY_AXIS_ALIGNED_BOUNDING_BOX "PBX1" "morph_vol_dens_aabb" "Volume density (axis-aligned bounding box)"
    AREA_DENSITY_AXIS_ALIGNED_BOUNDING_BOX "R59B" "morph_area_dens_aabb" "Area density (axis-aligned bounding box)"
    VOLUME_DENSITY_ORIENTED_MINIMUM_BOUNDING_BOX "ZH1A" "morph_vol_dens_ombb" "Volume density (oriented minimum bounding box)"
    AREA_DENSITY_ORIENTED_MINIMUM_BOUNDING_BOX "IQYR" "morph_area_dens_ombb" "Area density (oriented minimum bounding box)"
    VOLUME_DENSITY_APPROXIMATE_ENCLOSING_ELLIPSOID "6BDE" "morph_vol_dens_aee" "Volume density (approximate enclosing ellipsoid)"
    AREA_DENSITY_APPROXIMATE_ENCLOSING_ELLIPSOID "RDD2" "morph_area_dens_aee" "Area density (approximate enclosing ellipsoid)"
    VOLUME_DENSITY_MINIMUM_VOLUME_ENCLOSING_ELLIPSOID "SWZ1" "morph_vol_dens_mvee" "Volume density (minimum volume enclosing ellipsoid)"
    AREA_DENSITY_MINIMUM_VOLUME_ENCLOSING_ELLIPSOID "BRI8" "morph_area_dens_mvee" "Area density (minimum volume enclosing ellipsoid)"
    VOLUME_DENSITY_CONVEX_HULL "R3ER" "morph_vol_dens_conv_hull" "Volume density (convex hull)"
    AREA_DENSITY_CONVEX_HULL "7T7F" "morph_area_dens_conv_hull" "Area density (convex hull)"
    INTEGRATED_INTENSITY "99N0" "morph_integ_int" "Integrated intensity"
    MORANS_I_INDEX "N365" "morph_moran_i" "Moran's I index"
    GEARYS_C_MEASURE "NPT7" "morph_geary_c" "Geary's C measure"
}

definitions! { LocalIntensity in local_intensity:
    LOCAL_INTENSITY_PEAK "VJGA" "loc_peak_loc" "Local intensity peak"
    GLOBAL_INTENSITY_PEAK "0F91" "loc_peak_glob" "Global intensity peak"
}

definitions! { Statistics in statistics:
    MEAN_INTENSITY "Q4LE" "stat_mean" "Mean intensity"
    INTENSITY_VARIANCE "ECT3" "stat_var" "Intensity variance"
    INTENSITY_SKEWNESS "KE2M" "stat_skew" "Intensity skewness"
    EXCESS_INTENSITY_KURTOSIS "IPH6" "stat_kurt" "(Excess) intensity kurtosis"
    MEDIAN_INTENSITY "Y12H" "stat_median" "Median intensity"
    MINIMUM_INTENSITY "1GSF" "stat_min" "Minimum intensity"
    INTENSITY_PERCENTILE_10 "QG58" "stat_p10" "10th intensity percentile"
    INTENSITY_PERCENTILE_90 "8DWT" "stat_p90" "90th intensity percentile"
    MAXIMUM_INTENSITY "84IY" "stat_max" "Maximum intensity"
    INTENSITY_INTERQUARTILE_RANGE "SALO" "stat_iqr" "Intensity interquartile range"
    INTENSITY_RANGE "2OJQ" "stat_range" "Intensity range"
    INTENSITY_BASED_MEAN_ABSOLUTE_DEVIATION "4FUA" "stat_mad" "Intensity-based mean absolute deviation"
    INTENSITY_BASED_ROBUST_MEAN_ABSOLUTE_DEVIATION "1128" "stat_rmad" "Intensity-based robust mean absolute deviation"
    INTENSITY_BASED_MEDIAN_ABSOLUTE_DEVIATION "N72L" "stat_medad" "Intensity-based median absolute deviation"
    INTENSITY_BASED_COEFFICIENT_OF_VARIATION "7TET" "stat_cov" "Intensity-based coefficient of variation"
    INTENSITY_BASED_QUARTILE_COEFFICIENT_OF_DISPERSION "9S40" "stat_qcod" "Intensity-based quartile coefficient of dispersion"
    INTENSITY_BASED_ENERGY "N8CA" "stat_energy" "Intensity-based energy"
    ROOT_MEAN_SQUARE_INTENSITY "5ZWQ" "stat_rms" "Root mean square intensity"
}

definitions! { IntensityHistogram in intensity_histogram:
    MEAN_DISCRETISED_INTENSITY "X6K6" "ih_mean" "Mean discretised intensity"
    DISCRETISED_INTENSITY_VARIANCE "CH89" "ih_var" "Discretised intensity variance"
    DISCRETISED_INTENSITY_SKEWNESS "88K1" "ih_skew" "Discretised intensity skewness"
    EXCESS_DISCRETISED_INTENSITY_KURTOSIS "C3I7" "ih_kurt" "(Excess) discretised intensity kurtosis"
    MEDIAN_DISCRETISED_INTENSITY "WIFQ" "ih_median" "Median discretised intensity"
    MINIMUM_DISCRETISED_INTENSITY "1PR8" "ih_min" "Minimum discretised intensity"
    DISCRETISED_INTENSITY_PERCENTILE_10 "GPMT" "ih_p10" "10th discretised intensity percentile"
    DISCRETISED_INTENSITY_PERCENTILE_90 "OZ0C" "ih_p90" "90th discretised intensity percentile"
    MAXIMUM_DISCRETISED_INTENSITY "3NCY" "ih_max" "Maximum discretised intensity"
    INTENSITY_HISTOGRAM_MODE "AMMC" "ih_mode" "Intensity histogram mode"
    DISCRETISED_INTENSITY_INTERQUARTILE_RANGE "WR0O" "ih_iqr" "Discretised intensity interquartile range"
    DISCRETISED_INTENSITY_RANGE "5Z3W" "ih_range" "Discretised intensity range"
    INTENSITY_HISTOGRAM_MEAN_ABSOLUTE_DEVIATION "D2ZX" "ih_mad" "Intensity histogram mean absolute deviation"
    INTENSITY_HISTOGRAM_ROBUST_MEAN_ABSOLUTE_DEVIATION "WRZB" "ih_rmad" "Intensity histogram robust mean absolute deviation"
    INTENSITY_HISTOGRAM_MEDIAN_ABSOLUTE_DEVIATION "4RNL" "ih_medad" "Intensity histogram median absolute deviation"
    INTENSITY_HISTOGRAM_COEFFICIENT_OF_VARIATION "CWYJ" "ih_cov" "Intensity histogram coefficient of variation"
    INTENSITY_HISTOGRAM_QUARTILE_COEFFICIENT_OF_DISPERSION "SLWD" "ih_qcod" "Intensity histogram quartile coefficient of dispersion"
    DISCRETISED_INTENSITY_ENTROPY "TLU2" "ih_entropy" "Discretised intensity entropy"
    DISCRETISED_INTENSITY_UNIFORMITY "BJ5W" "ih_uniformity" "Discretised intensity uniformity"
    MAXIMUM_HISTOGRAM_GRADIENT "12CE" "ih_max_grad" "Maximum histogram gradient"
    MAXIMUM_HISTOGRAM_GRADIENT_INTENSITY "8E6O" "ih_max_grad_g" "Maximum histogram gradient intensity"
    MINIMUM_HISTOGRAM_GRADIENT "VQB3" "ih_min_grad" "Minimum histogram gradient"
    MINIMUM_HISTOGRAM_GRADIENT_INTENSITY "RHQZ" "ih_min_grad_g" "Minimum histogram gradient intensity"
}

definitions! { IntensityVolumeHistogram in intensity_volume_histogram:
    VOLUME_FRACTION_AT_10_PERCENT_INTENSITY "NK6P" "ivh_v10" "Volume fraction at 10% intensity"
    VOLUME_FRACTION_AT_90_PERCENT_INTENSITY "4279" "ivh_v90" "Volume fraction at 90% intensity"
    INTENSITY_AT_10_PERCENT_VOLUME "PWN1" "ivh_i10" "Intensity at 10% volume"
    INTENSITY_AT_90_PERCENT_VOLUME "BOHI" "ivh_i90" "Intensity at 90% volume"
    VOLUME_FRACTION_DIFFERENCE_BETWEEN_10_PERCENT_AND_90_PERCENT_INTENSITY "WITY" "ivh_diff_v10_v90" "Volume fraction difference between 10% and 90% intensity"
    INTENSITY_DIFFERENCE_BETWEEN_10_PERCENT_AND_90_PERCENT_VOLUME "JXJA" "ivh_diff_i10_i90" "Intensity difference between 10% and 90% volume"
    AREA_UNDER_THE_IVH_CURVE "9CMM" "ivh_auc" "Area under the IVH curve"
}

definitions! { Glcm in glcm:
    JOINT_MAXIMUM "GYBY" "cm_joint_max" "Joint maximum"
    JOINT_AVERAGE "60VM" "cm_joint_avg" "Joint average"
    JOINT_VARIANCE "UR99" "cm_joint_var" "Joint variance"
    JOINT_ENTROPY "TU9B" "cm_joint_entr" "Joint entropy"
    DIFFERENCE_AVERAGE "TF7R" "cm_diff_avg" "Difference average"
    DIFFERENCE_VARIANCE "D3YU" "cm_diff_var" "Difference variance"
    DIFFERENCE_ENTROPY "NTRS" "cm_diff_entr" "Difference entropy"
    SUM_AVERAGE "ZGXS" "cm_sum_avg" "Sum average"
    SUM_VARIANCE "OEEB" "cm_sum_var" "Sum variance"
    SUM_ENTROPY "P6QZ" "cm_sum_entr" "Sum entropy"
    ANGULAR_SECOND_MOMENT "8ZQL" "cm_energy" "Angular second moment"
    CONTRAST "ACUI" "cm_contrast" "Contrast"
    DISSIMILARITY "8S9J" "cm_dissimilarity" "Dissimilarity"
    INVERSE_DIFFERENCE "IB1Z" "cm_inv_diff" "Inverse difference"
    NORMALISED_INVERSE_DIFFERENCE "NDRX" "cm_inv_diff_norm" "Normalised inverse difference"
    INVERSE_DIFFERENCE_MOMENT "WF0Z" "cm_inv_diff_mom" "Inverse difference moment"
    NORMALISED_INVERSE_DIFFERENCE_MOMENT "1QCO" "cm_inv_diff_mom_norm" "Normalised inverse difference moment"
    INVERSE_VARIANCE "E8JP" "cm_inv_var" "Inverse variance"
    CORRELATION "NI2N" "cm_corr" "Correlation"
    AUTOCORRELATION "QWB0" "cm_auto_corr" "Autocorrelation"
    CLUSTER_TENDENCY "DG8W" "cm_clust_tend" "Cluster tendency"
    CLUSTER_SHADE "7NFM" "cm_clust_shade" "Cluster shade"
    CLUSTER_PROMINENCE "AE86" "cm_clust_prom" "Cluster prominence"
    INFORMATION_CORRELATION_1 "R8DG" "cm_info_corr1" "Information correlation 1"
    INFORMATION_CORRELATION_2 "JN9H" "cm_info_corr2" "Information correlation 2"
}

definitions! { Glrlm in glrlm:
    SHORT_RUNS_EMPHASIS "22OV" "rlm_sre" "Short runs emphasis"
    LONG_RUNS_EMPHASIS "W4KF" "rlm_lre" "Long runs emphasis"
    LOW_GREY_LEVEL_RUN_EMPHASIS "V3SW" "rlm_lgre" "Low grey level run emphasis"
    HIGH_GREY_LEVEL_RUN_EMPHASIS "G3QZ" "rlm_hgre" "High grey level run emphasis"
    SHORT_RUN_LOW_GREY_LEVEL_EMPHASIS "HTZT" "rlm_srlge" "Short run low grey level emphasis"
    SHORT_RUN_HIGH_GREY_LEVEL_EMPHASIS "GD3A" "rlm_srhge" "Short run high grey level emphasis"
    LONG_RUN_LOW_GREY_LEVEL_EMPHASIS "IVPO" "rlm_lrlge" "Long run low grey level emphasis"
    LONG_RUN_HIGH_GREY_LEVEL_EMPHASIS "3KUM" "rlm_lrhge" "Long run high grey level emphasis"
    GREY_LEVEL_NON_UNIFORMITY "R5YN" "rlm_glnu" "Grey level non-uniformity"
    NORMALISED_GREY_LEVEL_NON_UNIFORMITY "OVBL" "rlm_glnu_norm" "Normalised grey level non-uniformity"
    RUN_LENGTH_NON_UNIFORMITY "W92Y" "rlm_rlnu" "Run length non-uniformity"
    NORMALISED_RUN_LENGTH_NON_UNIFORMITY "IC23" "rlm_rlnu_norm" "Normalised run length non-uniformity"
    RUN_PERCENTAGE "9ZK5" "rlm_r_perc" "Run percentage"
    GREY_LEVEL_VARIANCE "8CE5" "rlm_gl_var" "Grey level variance"
    RUN_LENGTH_VARIANCE "SXLW" "rlm_rl_var" "Run length variance"
    RUN_ENTROPY "HJ9O" "rlm_rl_entr" "Run entropy"
}

definitions! { Glszm in glszm:
    SMALL_ZONE_EMPHASIS "5QRC" "szm_sze" "Small zone emphasis"
    LARGE_ZONE_EMPHASIS "48P8" "szm_lze" "Large zone emphasis"
    LOW_GREY_LEVEL_ZONE_EMPHASIS "XMSY" "szm_lgze" "Low grey level zone emphasis"
    HIGH_GREY_LEVEL_ZONE_EMPHASIS "5GN9" "szm_hgze" "High grey level zone emphasis"
    SMALL_ZONE_LOW_GREY_LEVEL_EMPHASIS "5RAI" "szm_szlge" "Small zone low grey level emphasis"
    SMALL_ZONE_HIGH_GREY_LEVEL_EMPHASIS "HW1V" "szm_szhge" "Small zone high grey level emphasis"
    LARGE_ZONE_LOW_GREY_LEVEL_EMPHASIS "YH51" "szm_lzlge" "Large zone low grey level emphasis"
    LARGE_ZONE_HIGH_GREY_LEVEL_EMPHASIS "J17V" "szm_lzhge" "Large zone high grey level emphasis"
    GREY_LEVEL_NON_UNIFORMITY "JNSA" "szm_glnu" "Grey level non-uniformity"
    NORMALISED_GREY_LEVEL_NON_UNIFORMITY "Y1RO" "szm_glnu_norm" "Normalised grey level non-uniformity"
    ZONE_SIZE_NON_UNIFORMITY "4JP3" "szm_zsnu" "Zone size non-uniformity"
    NORMALISED_ZONE_SIZE_NON_UNIFORMITY "VB3A" "szm_zsnu_norm" "Normalised zone size non-uniformity"
    ZONE_PERCENTAGE "P30P" "szm_z_perc" "Zone percentage"
    GREY_LEVEL_VARIANCE "BYLV" "szm_gl_var" "Grey level variance"
    ZONE_SIZE_VARIANCE "3NSA" "szm_zs_var" "Zone size variance"
    ZONE_SIZE_ENTROPY "GU8N" "szm_zs_entr" "Zone size entropy"
}

definitions! { Gldzm in gldzm:
    SMALL_DISTANCE_EMPHASIS "0GBI" "dzm_sde" "Small distance emphasis"
    LARGE_DISTANCE_EMPHASIS "MB4I" "dzm_lde" "Large distance emphasis"
    LOW_GREY_LEVEL_ZONE_EMPHASIS "S1RA" "dzm_lgze" "Low grey level zone emphasis"
    HIGH_GREY_LEVEL_ZONE_EMPHASIS "K26C" "dzm_hgze" "High grey level zone emphasis"
    SMALL_DISTANCE_LOW_GREY_LEVEL_EMPHASIS "RUVG" "dzm_sdlge" "Small distance low grey level emphasis"
    SMALL_DISTANCE_HIGH_GREY_LEVEL_EMPHASIS "DKNJ" "dzm_sdhge" "Small distance high grey level emphasis"
    LARGE_DISTANCE_LOW_GREY_LEVEL_EMPHASIS "A7WM" "dzm_ldlge" "Large distance low grey level emphasis"
    LARGE_DISTANCE_HIGH_GREY_LEVEL_EMPHASIS "KLTH" "dzm_ldhge" "Large distance high grey level emphasis"
    GREY_LEVEL_NON_UNIFORMITY "VFT7" "dzm_glnu" "Grey level non-uniformity"
    NORMALISED_GREY_LEVEL_NON_UNIFORMITY "7HP3" "dzm_glnu_norm" "Normalised grey level non-uniformity"
    ZONE_DISTANCE_NON_UNIFORMITY "V294" "dzm_zdnu" "Zone distance non-uniformity"
    NORMALISED_ZONE_DISTANCE_NON_UNIFORMITY "IATH" "dzm_zdnu_norm" "Normalised zone distance non-uniformity"
    ZONE_PERCENTAGE "VIWW" "dzm_z_perc" "Zone percentage"
    GREY_LEVEL_VARIANCE "QK93" "dzm_gl_var" "Grey level variance"
    ZONE_DISTANCE_VARIANCE "7WT1" "dzm_zd_var" "Zone distance variance"
    ZONE_DISTANCE_ENTROPY "GBDU" "dzm_zd_entr" "Zone distance entropy"
}

definitions! { Ngtdm in ngtdm:
    COARSENESS "QCDE" "ngt_coarseness" "Coarseness"
    CONTRAST "65HE" "ngt_contrast" "Contrast"
    BUSYNESS "NQ30" "ngt_busyness" "Busyness"
    COMPLEXITY "HDEZ" "ngt_complexity" "Complexity"
    STRENGTH "1X9X" "ngt_strength" "Strength"
}

definitions! { Ngldm in ngldm:
    LOW_DEPENDENCE_EMPHASIS "SODN" "ngl_lde" "Low dependence emphasis"
    HIGH_DEPENDENCE_EMPHASIS "IMOQ" "ngl_hde" "High dependence emphasis"
    LOW_GREY_LEVEL_COUNT_EMPHASIS "TL9H" "ngl_lgce" "Low grey level count emphasis"
    HIGH_GREY_LEVEL_COUNT_EMPHASIS "OAE7" "ngl_hgce" "High grey level count emphasis"
    LOW_DEPENDENCE_LOW_GREY_LEVEL_EMPHASIS "EQ3F" "ngl_ldlge" "Low dependence low grey level emphasis"
    LOW_DEPENDENCE_HIGH_GREY_LEVEL_EMPHASIS "JA6D" "ngl_ldhge" "Low dependence high grey level emphasis"
    HIGH_DEPENDENCE_LOW_GREY_LEVEL_EMPHASIS "NBZI" "ngl_hdlge" "High dependence low grey level emphasis"
    HIGH_DEPENDENCE_HIGH_GREY_LEVEL_EMPHASIS "9QMG" "ngl_hdhge" "High dependence high grey level emphasis"
    GREY_LEVEL_NON_UNIFORMITY "FP8K" "ngl_glnu" "Grey level non-uniformity"
    NORMALISED_GREY_LEVEL_NON_UNIFORMITY "5SPA" "ngl_glnu_norm" "Normalised grey level non-uniformity"
    DEPENDENCE_COUNT_NON_UNIFORMITY "Z87G" "ngl_dcnu" "Dependence count non-uniformity"
    NORMALISED_DEPENDENCE_COUNT_NON_UNIFORMITY "OKJI" "ngl_dcnu_norm" "Normalised dependence count non-uniformity"
    DEPENDENCE_COUNT_PERCENTAGE "6XV8" "ngl_dc_perc" "Dependence count percentage"
    GREY_LEVEL_VARIANCE "1PFV" "ngl_gl_var" "Grey level variance"
    DEPENDENCE_COUNT_VARIANCE "DNX2" "ngl_dc_var" "Dependence count variance"
    DEPENDENCE_COUNT_ENTROPY "FCBV" "ngl_dc_entr" "Dependence count entropy"
    DEPENDENCE_COUNT_ENERGY "CAS9" "ngl_dc_energy" "Dependence count energy"
}

/// How matrices of slices and directions are combined into one value.
///
/// Matrices with directions (co-occurrences, runs) know the six methods that average or merge directions; matrices
/// without (zones, neighbourhoods) know [`Aggregation::Slices`], [`Aggregation::MergedSlices`] and
/// [`Aggregation::Volume`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Aggregation {
    /// 2D: features of each slice and direction, averaged (BTW3).
    #[serde(rename = "2D_avg")]
    SlicesAveraged,
    /// 2D: directions merged within each slice, features averaged over slices (SUJT).
    #[serde(rename = "2D_comb")]
    SlicesMergedDirections,
    /// 2.5D: slices merged for each direction, features averaged over directions (JJUI).
    #[serde(rename = "2_5D_avg")]
    MergedSlicesAveraged,
    /// 2.5D: all slices and directions merged (ZW7Z).
    #[serde(rename = "2_5D_comb")]
    MergedSlicesMergedDirections,
    /// 3D: features of each direction, averaged (ITBB).
    #[serde(rename = "3D_avg")]
    VolumeAveraged,
    /// 3D: all directions merged (IAZD).
    #[serde(rename = "3D_comb")]
    VolumeMergedDirections,
    /// 2D: features of each slice, averaged (8QNN).
    #[serde(rename = "2D")]
    Slices,
    /// 2.5D: slices merged (62GR).
    #[serde(rename = "2_5D")]
    MergedSlices,
    /// 3D (KOBO).
    #[serde(rename = "3D")]
    Volume,
}

impl Aggregation {
    /// The methods that work within slices.
    pub const PLANAR: [Self; 6] = [
        Self::SlicesAveraged,
        Self::SlicesMergedDirections,
        Self::MergedSlicesAveraged,
        Self::MergedSlicesMergedDirections,
        Self::Slices,
        Self::MergedSlices,
    ];
    /// The methods that work in three dimensions.
    pub const VOLUMETRIC: [Self; 3] = [Self::VolumeAveraged, Self::VolumeMergedDirections, Self::Volume];

    /// The method's identifier in the reference manual.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::SlicesAveraged => "BTW3",
            Self::SlicesMergedDirections => "SUJT",
            Self::MergedSlicesAveraged => "JJUI",
            Self::MergedSlicesMergedDirections => "ZW7Z",
            Self::VolumeAveraged => "ITBB",
            Self::VolumeMergedDirections => "IAZD",
            Self::Slices => "8QNN",
            Self::MergedSlices => "62GR",
            Self::Volume => "KOBO",
        }
    }

    /// The method's suffix in the tags of the reference values, such as `2_5D_comb`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::SlicesAveraged => "2D_avg",
            Self::SlicesMergedDirections => "2D_comb",
            Self::MergedSlicesAveraged => "2_5D_avg",
            Self::MergedSlicesMergedDirections => "2_5D_comb",
            Self::VolumeAveraged => "3D_avg",
            Self::VolumeMergedDirections => "3D_comb",
            Self::Slices => "2D",
            Self::MergedSlices => "2_5D",
            Self::Volume => "3D",
        }
    }

    /// How far matrices reach.
    pub(crate) const fn extent(self) -> Extent {
        match self {
            Self::Slices | Self::SlicesAveraged | Self::SlicesMergedDirections => Extent::Slices,
            Self::MergedSlices | Self::MergedSlicesAveraged | Self::MergedSlicesMergedDirections => {
                Extent::MergedSlices
            }
            Self::Volume | Self::VolumeAveraged | Self::VolumeMergedDirections => Extent::Volume,
        }
    }

    /// What becomes of directions; `None` for the methods of matrices without them.
    pub(crate) const fn directions(self) -> Option<Directions> {
        match self {
            Self::Slices | Self::MergedSlices | Self::Volume => None,
            Self::SlicesAveraged | Self::MergedSlicesAveraged | Self::VolumeAveraged => Some(Directions::Averaged),
            Self::SlicesMergedDirections | Self::MergedSlicesMergedDirections | Self::VolumeMergedDirections => {
                Some(Directions::Merged)
            }
        }
    }
}

/// How far a matrix reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Over one slice; features are averaged over slices.
    Slices,
    /// Over all slices, without neighbours in other slices.
    MergedSlices,
    /// Over the whole region.
    Volume,
}

impl Extent {
    pub(crate) const ALL: [Self; 3] = [Self::Slices, Self::MergedSlices, Self::Volume];
}

/// What becomes of the matrices of several directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directions {
    /// Their features are averaged.
    Averaged,
    /// They are added up.
    Merged,
}

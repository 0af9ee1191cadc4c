//! Which elements of a data set are read anywhere here. Those of scanners have hundreds; the others are not parsed.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// The private elements that are read anywhere here: group, and element in its block.
const PRIVATE: [(u16, &[u8]); 7] = [
    (0x0019, &[0x0c, 0x0e, 0xbb, 0xbc, 0xbd]),
    (0x0029, &[0x10]),
    (0x0043, &[0x2f, 0x39]),
    (0x0065, &[0x09, 0x37, 0x51]),
    (0x2001, &[0x03]),
    (0x2005, &[0x0e, 0x0f, 0xb0, 0xb1, 0xb2]),
    (0x7053, &[0x00]),
];

/// Whether an element of a data set is read: of the standard those that stand here, sequences with all that they hold,
/// and few private ones.
pub(super) fn is_read(tag: Tag) -> bool {
    if tag.group().is_multiple_of(2) {
        return is_read_of_standard(tag);
    }
    let is_creator = tag.element() < 0x100;
    let of_group = PRIVATE.iter().find(|(group, _)| *group == tag.group());
    of_group.is_some_and(|(_, read)| is_creator || read.contains(&(tag.element() as u8)))
}

#[allow(deprecated, reason = "retired attributes are read")]
fn is_read_of_standard(tag: Tag) -> bool {
    matches!(
        tag,
        tags::ACCESSION_NUMBER
            | tags::ACQUISITION_DATE
            | tags::ACQUISITION_DATE_TIME
            | tags::ACQUISITION_NUMBER
            | tags::ACQUISITION_TIME
            | tags::ACTUAL_FRAME_DURATION
            | tags::ANGULAR_VIEW_VECTOR
            | tags::BITS_ALLOCATED
            | tags::BITS_STORED
            | tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA
            | tags::BODY_PART_EXAMINED
            | tags::CARDIAC_SYNCHRONIZATION_SEQUENCE
            | tags::COLUMNS
            | tags::COMPLEX_IMAGE_COMPONENT
            | tags::CONTENT_DATE
            | tags::CONTENT_TIME
            | tags::CONTOUR_DATA
            | tags::CONTOUR_GEOMETRIC_TYPE
            | tags::CONTOUR_SEQUENCE
            | tags::CONTOUR_SLAB_THICKNESS
            | tags::CONTRAST_BOLUS_AGENT
            | tags::CONVOLUTION_KERNEL
            | tags::CT_IMAGE_FRAME_TYPE_SEQUENCE
            | tags::DECAY_CORRECTION
            | tags::DETECTOR_INFORMATION_SEQUENCE
            | tags::DETECTOR_VECTOR
            | tags::DIFFUSION_B_VALUE
            | tags::DIFFUSION_GRADIENT_DIRECTION_SEQUENCE
            | tags::DIFFUSION_GRADIENT_ORIENTATION
            | tags::DIMENSION_INDEX_POINTER
            | tags::DIMENSION_INDEX_SEQUENCE
            | tags::DIMENSION_INDEX_VALUES
            | tags::DOSE_GRID_SCALING
            | tags::ECHO_TIME
            | tags::EFFECTIVE_ECHO_TIME
            | tags::ENERGY_WINDOW_VECTOR
            | tags::FLIP_ANGLE
            | tags::FRAME_ACQUISITION_DATE_TIME
            | tags::FRAME_ACQUISITION_NUMBER
            | tags::FRAME_CONTENT_SEQUENCE
            | tags::FRAME_OF_REFERENCE_UID
            | tags::FRAME_REFERENCE_TIME
            | tags::FRAME_TIME
            | tags::FRAME_TIME_VECTOR
            | tags::FRAME_TYPE
            | tags::FRAME_VOILUT_SEQUENCE
            | tags::GANTRY_DETECTOR_TILT
            | tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA
            | tags::GRID_FRAME_OFFSET_VECTOR
            | tags::HIGH_BIT
            | tags::IMAGER_PIXEL_SPACING
            | tags::IMAGE_ORIENTATION_PATIENT
            | tags::IMAGE_POSITION_PATIENT
            | tags::IMAGE_TYPE
            | tags::INSTANCE_NUMBER
            | tags::INVERSION_TIME
            | tags::INVERSION_TIMES
            | tags::IN_STACK_POSITION_NUMBER
            | tags::KVP
            | tags::LATERALITY
            | tags::MAGNETIC_FIELD_STRENGTH
            | tags::MANUFACTURER
            | tags::MANUFACTURER_MODEL_NAME
            | tags::MAXIMUM_FRACTIONAL_VALUE
            | tags::MODALITY
            | tags::MR_ACQUISITION_TYPE
            | tags::MR_DIFFUSION_SEQUENCE
            | tags::MR_ECHO_SEQUENCE
            | tags::MR_IMAGE_FRAME_TYPE_SEQUENCE
            | tags::MR_IMAGING_MODIFIER_SEQUENCE
            | tags::MR_MODIFIER_SEQUENCE
            | tags::MR_RECEIVE_COIL_SEQUENCE
            | tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE
            | tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME
            | tags::NOMINAL_SCANNED_PIXEL_SPACING
            | tags::NUMBER_OF_FRAMES
            | tags::NUMBER_OF_TEMPORAL_POSITIONS
            | tags::PATIENT_BIRTH_DATE
            | tags::PATIENT_ID
            | tags::PATIENT_NAME
            | tags::PATIENT_POSITION
            | tags::PATIENT_SEX
            | tags::PATIENT_SIZE
            | tags::PATIENT_WEIGHT
            | tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE
            | tags::PET_FRAME_TYPE_SEQUENCE
            | tags::PHASE_VECTOR
            | tags::PHOTOMETRIC_INTERPRETATION
            | tags::PHYSICAL_DELTA_X
            | tags::PHYSICAL_DELTA_Y
            | tags::PHYSICAL_UNITS_X_DIRECTION
            | tags::PHYSICAL_UNITS_Y_DIRECTION
            | tags::PIXEL_BANDWIDTH
            | tags::PIXEL_MEASURES_SEQUENCE
            | tags::PIXEL_REPRESENTATION
            | tags::PIXEL_SPACING
            | tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE
            | tags::PLANAR_CONFIGURATION
            | tags::PLANE_ORIENTATION_SEQUENCE
            | tags::PLANE_POSITION_SEQUENCE
            | tags::PROTOCOL_NAME
            | tags::PULSE_SEQUENCE_NAME
            | tags::RADIONUCLIDE_HALF_LIFE
            | tags::RADIONUCLIDE_TOTAL_DOSE
            | tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE
            | tags::RADIOPHARMACEUTICAL_START_DATE_TIME
            | tags::RADIOPHARMACEUTICAL_START_TIME
            | tags::RECEIVE_COIL_NAME
            | tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA
            | tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR
            | tags::REFERENCED_FRAME_OF_REFERENCE_UID
            | tags::REFERENCED_ROI_NUMBER
            | tags::REFERENCED_SEGMENT_NUMBER
            | tags::REPETITION_TIME
            | tags::RESCALE_INTERCEPT
            | tags::RESCALE_SLOPE
            | tags::ROI_CONTOUR_SEQUENCE
            | tags::ROI_NAME
            | tags::ROI_NUMBER
            | tags::ROTATION_VECTOR
            | tags::ROWS
            | tags::RR_INTERVAL_VECTOR
            | tags::SAMPLES_PER_PIXEL
            | tags::SCANNING_SEQUENCE
            | tags::SEGMENTATION_TYPE
            | tags::SEGMENTED_BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA
            | tags::SEGMENTED_GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA
            | tags::SEGMENTED_RED_PALETTE_COLOR_LOOKUP_TABLE_DATA
            | tags::SEGMENT_IDENTIFICATION_SEQUENCE
            | tags::SEGMENT_LABEL
            | tags::SEGMENT_NUMBER
            | tags::SEGMENT_SEQUENCE
            | tags::SEQUENCE_NAME
            | tags::SEQUENCE_OF_ULTRASOUND_REGIONS
            | tags::SEQUENCE_VARIANT
            | tags::SERIES_DATE
            | tags::SERIES_DESCRIPTION
            | tags::SERIES_INSTANCE_UID
            | tags::SERIES_NUMBER
            | tags::SERIES_TIME
            | tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE
            | tags::SLICE_THICKNESS
            | tags::SLICE_VECTOR
            | tags::SOFTWARE_VERSIONS
            | tags::SOP_CLASS_UID
            | tags::SOP_INSTANCE_UID
            | tags::SPACING_BETWEEN_SLICES
            | tags::SPECIFIC_CHARACTER_SET
            | tags::STACK_ID
            | tags::STRUCTURE_SET_LABEL
            | tags::STRUCTURE_SET_ROI_SEQUENCE
            | tags::STUDY_DATE
            | tags::STUDY_DESCRIPTION
            | tags::STUDY_ID
            | tags::STUDY_INSTANCE_UID
            | tags::STUDY_TIME
            | tags::TEMPORAL_POSITION_IDENTIFIER
            | tags::TEMPORAL_POSITION_INDEX
            | tags::TEMPORAL_POSITION_SEQUENCE
            | tags::TEMPORAL_POSITION_TIME_OFFSET
            | tags::TIME_SLICE_VECTOR
            | tags::TIME_SLOT_VECTOR
            | tags::TRIGGER_TIME
            | tags::SUV_TYPE
            | tags::UNITS
            | tags::WINDOW_CENTER
            | tags::WINDOW_WIDTH
    )
}

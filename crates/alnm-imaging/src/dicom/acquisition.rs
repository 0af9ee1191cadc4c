//! How a series was acquired.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use serde::Serialize;

use super::attributes::{item, number, numbers, text, texts};
use super::plane::Sources;

/// How a series was acquired, as the header of its first file states it. Nothing of it says who the patient is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Acquisition {
    /// `ProtocolName` (0018,1030), empty when absent.
    pub protocol: String,
    /// `SequenceName` (0018,0024), or `PulseSequenceName` (0018,9005) of enhanced files; empty when absent.
    pub sequence: String,
    /// `ScanningSequence` (0018,0020), such as GR and IR.
    pub scanning_sequence: Vec<String>,
    /// `SequenceVariant` (0018,0021), such as SP and MP.
    pub sequence_variant: Vec<String>,
    /// `MRAcquisitionType` (0018,0023): 2D or 3D, empty when absent.
    pub dimension: String,
    /// `RepetitionTime` (0018,0080) in ms.
    pub repetition_time: Option<f64>,
    /// `EchoTime` (0018,0081) or `EffectiveEchoTime` (0018,9082) of the first image in ms.
    pub echo_time: Option<f64>,
    /// `InversionTime` (0018,0082) of the first image in ms.
    pub inversion_time: Option<f64>,
    /// `FlipAngle` (0018,1314) in degrees.
    pub flip_angle: Option<f64>,
    /// `PixelBandwidth` (0018,0095) in Hz.
    pub pixel_bandwidth: Option<f64>,
    /// `ReceiveCoilName` (0018,1250), empty when absent.
    pub coil: String,
    /// `ContrastBolusAgent` (0018,0010), empty when absent.
    pub contrast_agent: String,
    /// `KVP` (0018,0060) in kV.
    pub tube_voltage: Option<f64>,
    /// `ConvolutionKernel` (0018,1210), empty when absent.
    pub kernel: String,
    /// `GantryDetectorTilt` (0018,1120) in degrees.
    pub gantry_tilt: Option<f64>,
    /// `SliceThickness` (0018,0050) in mm.
    pub slice_thickness: Option<f64>,
    /// `SoftwareVersions` (0018,1020), empty when absent.
    pub software: String,
    /// The first window for display: `WindowCenter` (0028,1050) and `WindowWidth` (0028,1051).
    pub window: Option<[f64; 2]>,
}

impl Acquisition {
    /// What a data set says; of a multi-frame file, its first frame.
    pub(super) fn of(object: &InMemDicomObject) -> Self {
        let frame = item(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
        let shared = item(object, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE);
        let sources = Sources { frame, shared, object };
        let or_empty = |tag: Tag| text(object, tag).unwrap_or_default();
        let in_group = |group: Tag, tag: Tag| number(sources.group(group), tag).or_else(|| number(object, tag));
        let timing = |tag: Tag| in_group(tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE, tag);
        let coil = text(sources.group(tags::MR_RECEIVE_COIL_SEQUENCE), tags::RECEIVE_COIL_NAME);
        let sequence = text(object, tags::SEQUENCE_NAME).or_else(|| text(object, tags::PULSE_SEQUENCE_NAME));
        let inversion_times = number(sources.group(tags::MR_MODIFIER_SEQUENCE), tags::INVERSION_TIMES);
        Self {
            protocol: or_empty(tags::PROTOCOL_NAME),
            sequence: sequence.unwrap_or_default(),
            scanning_sequence: texts(object, tags::SCANNING_SEQUENCE),
            sequence_variant: texts(object, tags::SEQUENCE_VARIANT),
            dimension: or_empty(tags::MR_ACQUISITION_TYPE),
            repetition_time: timing(tags::REPETITION_TIME),
            echo_time: sources.echo_time(),
            inversion_time: inversion_times.or_else(|| number(object, tags::INVERSION_TIME)),
            flip_angle: timing(tags::FLIP_ANGLE),
            pixel_bandwidth: in_group(tags::MR_IMAGING_MODIFIER_SEQUENCE, tags::PIXEL_BANDWIDTH),
            coil: coil.unwrap_or_default(),
            contrast_agent: or_empty(tags::CONTRAST_BOLUS_AGENT),
            tube_voltage: number(object, tags::KVP),
            kernel: texts(object, tags::CONVOLUTION_KERNEL).join(" "),
            gantry_tilt: number(object, tags::GANTRY_DETECTOR_TILT),
            slice_thickness: in_group(tags::PIXEL_MEASURES_SEQUENCE, tags::SLICE_THICKNESS),
            software: texts(object, tags::SOFTWARE_VERSIONS).join(" "),
            window: window(sources.group(tags::FRAME_VOILUT_SEQUENCE)),
        }
    }
}

/// The first of the windows of a data set or group.
fn window(object: &InMemDicomObject) -> Option<[f64; 2]> {
    let first = |tag: Tag| numbers(object, tag)?.first().copied();
    let [centre, width] = [first(tags::WINDOW_CENTER)?, first(tags::WINDOW_WIDTH)?];
    (width > 0.0).then_some([centre, width])
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;

    fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: &str) {
        let values = value.split('\\').map(str::to_owned).collect();
        object.put(DataElement::new(tag, vr, PrimitiveValue::Strs(values)));
    }

    #[test]
    fn classic_headers_are_summed_up() {
        let mut object = InMemDicomObject::new_empty();
        put(&mut object, tags::SCANNING_SEQUENCE, VR::CS, "GR\\IR");
        put(&mut object, tags::SEQUENCE_NAME, VR::SH, "*tfl3d1 ");
        put(&mut object, tags::REPETITION_TIME, VR::DS, "2300");
        put(&mut object, tags::ECHO_TIME, VR::DS, "2.98");
        put(&mut object, tags::WINDOW_CENTER, VR::DS, "40\\300");
        put(&mut object, tags::WINDOW_WIDTH, VR::DS, "400\\1500");
        let found = Acquisition::of(&object);
        assert_eq!((found.scanning_sequence.join("+"), found.sequence), ("GR+IR".to_owned(), "*tfl3d1".to_owned()));
        assert_eq!((found.repetition_time, found.echo_time), (Some(2300.0), Some(2.98)));
        assert_eq!((found.window, found.flip_angle), (Some([40.0, 400.0]), None));
    }
}

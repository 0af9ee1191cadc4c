//! ONNX networks: what they compute against ONNX Runtime (tests/golden/make_onnx.py), and files that must be refused.

// What cannot be read must end the test, also in its helpers.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use alnm_deep::{
    ChannelNormalisation, DeepError, Instructions, OnnxNetwork, OnnxValue, SlidingWindowParams,
    VolumeSegmentationParams,
};
use alnm_imaging::{Geometry, Volume};
use ndarray::{Array3, Array4, ArrayD, Axis};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx")
}

/// The networks by name, with their inputs and what they give.
fn cases() -> Vec<(String, Vec<u8>, Vec<OnnxValue>)> {
    let mut names: Vec<String> = std::fs::read_dir(golden())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".onnx").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 6, "{names:?}");
    let of = |name: String| {
        let model = std::fs::read(golden().join(format!("{name}.onnx"))).unwrap();
        let values = values(&std::fs::read(golden().join(format!("{name}.values"))).unwrap());
        (name, model, values)
    };
    names.into_iter().map(of).collect()
}

fn values(bytes: &[u8]) -> Vec<OnnxValue> {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    let header: Vec<(String, Vec<usize>)> = serde_json::from_slice(&bytes[..end]).unwrap();
    let mut rest = &bytes[end + 1..];
    header
        .into_iter()
        .map(|(kind, shape)| {
            let count: usize = shape.iter().product();
            if kind == "float32" {
                let (here, after) = rest.split_at(count * 4);
                rest = after;
                let numbers = here.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                OnnxValue::Floats(ArrayD::from_shape_vec(shape, numbers).unwrap())
            } else {
                let (here, after) = rest.split_at(count * 8);
                rest = after;
                let numbers = here.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect();
                OnnxValue::Integers(ArrayD::from_shape_vec(shape, numbers).unwrap())
            }
        })
        .collect()
}

/// The largest difference over the largest magnitude.
fn difference(got: &ArrayD<f32>, want: &ArrayD<f32>) -> f32 {
    assert_eq!(got.shape(), want.shape());
    let largest = want.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    got.iter().zip(want).fold(0.0f32, |most, (got, want)| most.max((got - want).abs())) / largest
}

#[test]
fn outputs_are_those_of_onnx_runtime_with_every_instruction_set() {
    for (name, model, values) in cases() {
        for instructions in Instructions::available() {
            let network = OnnxNetwork::from_bytes_with_instructions(&model, &[], instructions).unwrap();
            let (inputs, wanted) = values.split_at(network.inputs().len());
            let outputs = network.run(inputs.to_vec()).unwrap();
            assert_eq!(outputs.len(), wanted.len(), "{name}");
            for (got, want) in outputs.iter().zip(wanted) {
                match (got, want) {
                    (OnnxValue::Floats(got), OnnxValue::Floats(want)) => {
                        let difference = difference(got, want);
                        assert!(difference < 1e-5, "{name}, {}: {difference}", instructions.name());
                    }
                    (got, want) => assert_eq!(got, want, "{name}"),
                }
            }
            // A second run finds the memory of the first one.
            assert_eq!(network.run(inputs.to_vec()).unwrap(), outputs, "{name}");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for (name, model, values) in cases() {
        let outputs = [1, 3].map(|threads| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
                let network = OnnxNetwork::from_bytes(&model, &[]).unwrap();
                network.run(values[..network.inputs().len()].to_vec()).unwrap()
            })
        });
        assert_eq!(outputs[0], outputs[1], "{name}");
    }
}

/// A message's fields, as Protocol Buffers write them.
#[derive(Default, Clone)]
struct Message(Vec<u8>);

impl Message {
    fn varint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
        self
    }

    fn integer(self, field: u64, value: i64) -> Self {
        self.varint(field << 3).varint(value.cast_unsigned())
    }

    fn bytes(self, field: u64, bytes: &[u8]) -> Self {
        let mut message = self.varint(field << 3 | 2).varint(bytes.len() as u64);
        message.0.extend_from_slice(bytes);
        message
    }

    fn message(self, field: u64, message: Self) -> Self {
        self.bytes(field, &message.0)
    }
}

fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> Message {
    let message = inputs.iter().fold(Message::default(), |message, name| message.bytes(1, name.as_bytes()));
    outputs.iter().fold(message, |message, name| message.bytes(2, name.as_bytes())).bytes(4, operator.as_bytes())
}

fn tensor(name: &str, kind: i64, shape: &[i64], raw: &[u8]) -> Message {
    let message = shape.iter().fold(Message::default(), |message, size| message.integer(1, *size));
    message.integer(2, kind).bytes(8, name.as_bytes()).bytes(9, raw)
}

/// A network of one input `x` of floats and one output `y`.
fn network_of(opset: i64, nodes: &[Message], initializers: &[Message], element: i64) -> Vec<u8> {
    network_with_input(opset, nodes, initializers, Message::default().integer(1, element))
}

/// The same, the input's type and shape as they stand in the file.
fn network_with_input(opset: i64, nodes: &[Message], initializers: &[Message], input: Message) -> Vec<u8> {
    let kind = Message::default().message(1, input);
    let graph = nodes.iter().fold(Message::default(), |graph, node| graph.message(1, node.clone()));
    let graph = initializers.iter().fold(graph, |graph, tensor| graph.message(5, tensor.clone()));
    let graph = graph
        .message(11, Message::default().bytes(1, b"x").message(2, kind))
        .message(12, Message::default().bytes(1, b"y"));
    Message::default().integer(1, 8).message(8, Message::default().integer(2, opset)).message(7, graph).0
}

fn refusal(bytes: &[u8]) -> String {
    match OnnxNetwork::from_bytes(bytes, &[]) {
        Err(error @ DeepError::Onnx { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let relu = node("Relu", &["x"], &["y"]);
    assert!(OnnxNetwork::from_bytes(&network_of(13, std::slice::from_ref(&relu), &[], 1), &[]).is_ok());
    let of = |nodes: &[Message]| refusal(&network_of(13, nodes, &[], 1));
    let unknown = of(&[node("NonMaxSuppression", &["x"], &["y"])]);
    assert!(unknown.contains("NonMaxSuppression \"y\" is not supported (operator set 13)"), "{unknown}");
    let cycle = of(&[node("Add", &["x", "b"], &["a"]), node("Relu", &["a"], &["b"]), node("Neg", &["b"], &["y"])]);
    assert!(cycle.contains("cycle through Relu \"b\"") || cycle.contains("cycle through Add \"a\""), "{cycle}");
    let absent = of(&[node("Add", &["x", "nothing"], &["y"])]);
    assert!(absent.contains("Add \"y\" reads nothing, which nothing makes"), "{absent}");
    let twice = of(&[relu.clone(), node("Neg", &["x"], &["y"])]);
    assert!(twice.contains("y is made twice"), "{twice}");
    let old = refusal(&network_of(9, std::slice::from_ref(&relu), &[], 1));
    assert!(old.contains("the operator set is 9; versions 11 to 22 are read"), "{old}");
    let double = refusal(&network_of(13, std::slice::from_ref(&relu), &[], 11));
    assert!(double.contains("the input x holds DOUBLE"), "{double}");
    let add = [node("Add", &["x", "w"], &["y"])];
    let short = refusal(&network_of(13, &add, &[tensor("w", 1, &[3], &[0; 8])], 1));
    assert!(short.contains("the tensor w has 8 bytes"), "{short}");
    let huge = refusal(&network_of(13, &add, &[tensor("w", 1, &[1 << 40, 1 << 40], &[])], 1));
    assert!(huge.contains("more values than the limit"), "{huge}");
    let strings = refusal(&network_of(13, &add, &[tensor("w", 8, &[1], &[])], 1));
    assert!(strings.contains("the tensor w holds STRING"), "{strings}");
    let outside = tensor("w", 1, &[1], &[]).integer(14, 1);
    let place = |location: &str| {
        let entry = Message::default().bytes(1, b"location").bytes(2, location.as_bytes());
        network_of(13, &add, &[outside.clone().message(13, entry)], 1)
    };
    assert!(refusal(&place("w.bin")).contains("open the model by its path"));
    let folder = tempfile::tempdir().unwrap();
    for (location, words) in
        [("../w.bin", "a file beside the model"), ("w.bin", "w.bin"), ("short.bin", "ends after 3")]
    {
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, place(location)).unwrap();
        std::fs::write(folder.path().join("short.bin"), [0; 3]).unwrap();
        let error = OnnxNetwork::open(&path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    std::fs::write(folder.path().join("w.bin"), 2.5f32.to_le_bytes()).unwrap();
    std::fs::write(folder.path().join("model.onnx"), place("w.bin")).unwrap();
    let network = OnnxNetwork::open(folder.path().join("model.onnx")).unwrap();
    let sum = network.output(ArrayD::from_elem(vec![2], 1.0).view()).unwrap();
    assert_eq!(sum.as_slice(), Some(&[3.5, 3.5][..]));
}

#[test]
fn what_cannot_be_computed_is_refused_as_it_runs() {
    let network =
        OnnxNetwork::from_bytes(&network_of(13, &[node("MatMul", &["x", "x"], &["y"])], &[], 1), &[]).unwrap();
    let error = network.run(vec![ArrayD::<f32>::zeros(vec![2, 3]).into()]).unwrap_err().to_string();
    assert!(error.contains("MatMul \"y\": the shapes [2, 3] and [2, 3] have no product"), "{error}");
    assert!(network.run(Vec::new()).is_err());
    // A node that lacks an input which its operator needs.
    let network = OnnxNetwork::from_bytes(&network_of(13, &[node("Add", &["x"], &["y"])], &[], 1), &[]).unwrap();
    assert!(network.run(vec![ArrayD::<f32>::zeros(vec![2]).into()]).is_err());
    // Two numbers that ask for more memory than there is.
    let shape = tensor("s", 7, &[2], &[(1i64 << 40).to_le_bytes(), (1i64 << 40).to_le_bytes()].concat());
    let expand = network_of(13, &[node("Expand", &["x", "s"], &["y"])], &[shape], 1);
    let error = OnnxNetwork::from_bytes(&expand, &[]).unwrap().run(vec![ArrayD::<f32>::zeros(vec![1]).into()]);
    assert!(error.unwrap_err().to_string().contains("more values than the limit"));
}

#[test]
fn values_within_a_network_can_be_asked_for() {
    let nodes = [node("Neg", &["x"], &["negative"]), node("Relu", &["negative"], &["y"])];
    let bytes = network_of(13, &nodes, &[], 1);
    let network = OnnxNetwork::from_bytes(&bytes, &["negative", "y"]).unwrap();
    let outputs = network.run(vec![ArrayD::from_shape_vec(vec![2], vec![1.0f32, -2.0]).unwrap().into()]).unwrap();
    let slices: Vec<Vec<f32>> =
        outputs.into_iter().map(|value| value.into_floats().unwrap().into_raw_vec_and_offset().0).collect();
    assert_eq!(slices, [[-1.0, 2.0], [0.0, 2.0]]);
    let error = OnnxNetwork::from_bytes(&bytes, &["middle"]).unwrap_err().to_string();
    assert!(error.contains("the output is middle, which the network does not make"), "{error}");
}

/// No byte that is changed or cut off makes the reader panic or take endless memory.
#[test]
fn damaged_files_are_refused_or_read() {
    for (_, model, _) in cases() {
        let step = model.len() / 97 + 1;
        for place in (0..model.len()).step_by(step) {
            let _ = OnnxNetwork::from_bytes(&model[..place], &[]);
            let mut damaged = model.clone();
            damaged[place] ^= 0xa5;
            let _ = OnnxNetwork::from_bytes(&damaged, &[]);
        }
        // The structure lies before and between the weights; every byte of the first part is tried.
        for place in 0..model.len().min(600) {
            let mut damaged = model.clone();
            damaged[place] = damaged[place].wrapping_add(1);
            let _ = OnnxNetwork::from_bytes(&damaged, &[]);
        }
    }
}

/// Waves in a grid of so many voxels (x, y, z).
fn waves(size: [usize; 3], phase: f64) -> Volume<f32> {
    let grid =
        Geometry::new(size, [0.8, 0.9, 2.0], [3.0, -4.0, 5.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
            .unwrap();
    let [depth, height, width] = grid.shape();
    let wave = |(z, y, x): (usize, usize, usize)| {
        (100.0 + 30.0 * (x as f64 / 3.0 + phase).sin() * (y as f64 / 4.0).cos() + 5.0 * z as f64) as f32
    };
    Volume::new(Array3::from_shape_fn((depth, height, width), wave), grid).unwrap()
}

fn goes_on(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_volume_is_segmented_as_step_by_step() {
    let network = OnnxNetwork::open(golden().join("nnunet.onnx")).unwrap();
    let windows = SlidingWindowParams::new([8, 16, 12]).with_mirrors([false, true, false]);
    let channels = [waves([21, 16, 11], 0.0), waves([21, 16, 11], 1.0)];
    let mut input = Array4::zeros((2, 11, 16, 21));
    for (channel, mut into) in channels.iter().zip(input.outer_iter_mut()) {
        let values = channel.data().mapv(f64::from);
        let (mean, deviation) = (values.mean().unwrap(), values.std(0.0));
        into.assign(&values.mapv(|value| ((value - mean) / deviation) as f32));
    }
    let scores = windows.clone().check().unwrap().run(&network, input.view(), &mut goes_on).unwrap();
    let expected = scores.map_axis(Axis(0), |scores| {
        (1..3).fold(0, |best, label| if scores[label] > scores[best] { label } else { best }) as u32
    });
    let segmentation = VolumeSegmentationParams::new(windows.clone()).check().unwrap();
    let labels = segmentation.run(&network, &channels, &mut goes_on).unwrap();
    assert_eq!(labels.geometry(), channels[0].geometry());
    let differing = labels.data().iter().zip(&expected).filter(|(label, expected)| label != expected).count();
    assert!(differing <= 2, "{differing} voxels differ, which rounding cannot explain");
    assert!((0..3).all(|label| labels.as_slice().contains(&label)));
    // On a finer grid the outline moves by less than a voxel or so.
    let finer = VolumeSegmentationParams::new(windows.clone()).with_spacing([0.4, 0.45, 0.0]).check().unwrap();
    let labels = finer.run(&network, &channels, &mut goes_on).unwrap();
    assert_eq!(labels.geometry(), channels[0].geometry());

    let one = segmentation.run(&network, &channels[..1], &mut goes_on).unwrap_err().to_string();
    assert_eq!(one, "number of channels is 1; it must be 2");
    let other = waves([20, 16, 11], 0.0);
    let apart = segmentation.run(&network, &[channels[0].clone(), other], &mut goes_on).unwrap_err().to_string();
    assert!(apart.contains("the two grids differ"), "{apart}");
    let mut broken = channels.clone();
    broken[1].as_mut_slice()[7] = f32::NAN;
    assert!(segmentation.run(&network, &broken, &mut goes_on).is_err());
    let stopped = segmentation.run(&network, &channels, &mut |_, _| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(DeepError::Stopped { done: 1, .. })));
    for wrong in [[-1.0, 1.0, 1.0], [f64::NAN; 3]] {
        assert!(VolumeSegmentationParams::new(windows.clone()).with_spacing(wrong).check().is_err());
    }
    assert!(VolumeSegmentationParams::new(windows).with_threshold(f32::NAN).check().is_err());
}

#[test]
fn a_network_of_one_channel_is_cut_at_a_threshold_and_one_of_planes_goes_plane_by_plane() {
    let doubling = [node("Add", &["x", "x"], &["y"])];
    let open = |size: &str| Message::default().message(1, Message::default().bytes(2, size.as_bytes()));
    let fixed = |size: i64| Message::default().message(1, Message::default().integer(1, size));
    let of_shape = |dimensions: &[Message]| {
        let shape = Message(dimensions.iter().flat_map(|dimension| dimension.0.clone()).collect());
        let bytes = network_with_input(13, &doubling, &[], Message::default().integer(1, 1).message(2, shape));
        OnnxNetwork::from_bytes(&bytes, &[]).unwrap()
    };
    let volumetric = of_shape(&[fixed(1), fixed(1), open("z"), open("y"), open("x")]);
    let planar = of_shape(&[fixed(1), fixed(1), open("y"), open("x")]);
    let image = waves([20, 14, 6], 0.0);
    let of_windows = |window: [usize; 3]| {
        VolumeSegmentationParams::new(SlidingWindowParams::new(window))
            .with_normalisation(ChannelNormalisation::Unchanged)
            .with_threshold(240.0)
            .check()
            .unwrap()
    };
    for (network, window) in [(&volumetric, [4, 8, 8]), (&planar, [1, 8, 8])] {
        let labels = of_windows(window).run(network, std::slice::from_ref(&image), &mut goes_on).unwrap();
        for (label, value) in labels.as_slice().iter().zip(image.as_slice()) {
            let near = (value - 120.0).abs() < 1e-3;
            assert!(near || *label == u32::from(*value > 120.0), "{label} {value}");
        }
        assert!(labels.as_slice().contains(&1) && labels.as_slice().contains(&0));
    }
    let planes = of_windows([2, 8, 8]).run(&planar, std::slice::from_ref(&image), &mut goes_on).unwrap_err();
    assert_eq!(
        planes.to_string(),
        "the shape of the window of a network that takes planes is [2, 8, 8]; it must be one plane along z"
    );
    // Voxels that are 0 stay 0, and do not count.
    let mut framed = image.clone();
    framed.as_mut_slice()[..20 * 14].fill(0.0);
    let among_others = VolumeSegmentationParams::new(SlidingWindowParams::new([6, 14, 20]))
        .with_normalisation(ChannelNormalisation::NonZeroZScore)
        .check()
        .unwrap();
    let labels = among_others.run(&volumetric, &[framed.clone()], &mut goes_on).unwrap();
    let inside = framed.as_slice()[20 * 14..].iter().map(|value| f64::from(*value));
    let mean = inside.clone().sum::<f64>() / inside.count() as f64;
    for (label, value) in labels.as_slice().iter().zip(framed.as_slice()) {
        let near = (f64::from(*value) - mean).abs() < 1e-3;
        assert!(near || *label == u32::from(f64::from(*value) > mean), "{label} {value}");
    }
}

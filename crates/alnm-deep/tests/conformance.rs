//! The deep reference pack: values of PyTorch and torchvision for weights and inputs that a generator reproduces.
//!
//! The generator is defined in the header of the pack's `make_reference.py`; cases are discovered from `manifest.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use alnm_deep::{
    Backbone, CrossEntropyLoss, FeatureExtractor, GradCamOptions, Head, Initialisation, Network, Optimiser, Predictor,
    StateDict, Tensor, Trainer, WeightDecayRule, grad_cam, rotate,
};
use ndarray::Array2;
use serde_json::Value;

/// The largest deviation of a case in units of what is allowed, and where it stands.
struct Deviation {
    share: f64,
    place: String,
}

impl Deviation {
    fn none() -> Self {
        Self { share: 0.0, place: "-".to_owned() }
    }

    fn see(&mut self, difference: f64, allowed: f64, place: impl FnOnce() -> String) {
        let share = if difference.is_nan() { f64::INFINITY } else { difference / allowed };
        if share > self.share {
            *self = Self { share, place: place() };
        }
    }
}

#[test]
fn conformance() {
    let root = env::var_os("ALNM_REFERENCE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference"), PathBuf::from);
    let path = root.join("deep/manifest.json");
    let manifest: Value = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).expect("the manifest is JSON"),
        Err(error) if env::var_os("ALNM_REQUIRE_REFERENCE").is_some() => panic!("{}: {error}", path.display()),
        Err(_) => {
            println!("deep: skipped, no reference pack");
            return;
        }
    };
    let seed = manifest["seed"].as_u64().expect("the manifest states its seed");
    let mut sections: BTreeMap<&str, Vec<(String, Deviation)>> = BTreeMap::new();
    for case in manifest["cases"].as_array().expect("the manifest lists its cases") {
        let (kind, name) = (text(case, "kind"), text(case, "name"));
        let deviation = match kind {
            "eval" => evaluation(case, seed),
            "train" => training(case, seed),
            "gradcam" => class_activation(case, seed),
            "rotate" => rotation(case, seed),
            "resize" => resize(case, seed, manifest["tolerances"]["resize"].as_f64().expect("a tolerance")),
            "generator" => generator(case, seed),
            other => panic!("{name}: unknown kind of case {other}"),
        };
        sections.entry(kind).or_default().push((name.to_owned(), deviation));
    }
    let mut failures = Vec::new();
    for (kind, cases) in &sections {
        let failed: Vec<_> = cases.iter().filter(|(_, deviation)| deviation.share > 1.0).collect();
        let (name, worst) = cases.iter().max_by(|a, b| a.1.share.total_cmp(&b.1.share)).expect("a section has a case");
        let passed = cases.len() - failed.len();
        println!(
            "{kind}: {} cases, {passed} passed, worst {:.3} of the tolerance, {name} {}",
            cases.len(),
            worst.share,
            worst.place
        );
        failures.extend(failed.iter().map(|(name, deviation)| {
            format!("{name}: {:.3} of the tolerance at {}", deviation.share, deviation.place)
        }));
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("`{key}` is missing"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

/// splitmix64 from a name and the pack's seed, in [0, 1).
fn draws(name: &str, seed: u64, count: usize) -> impl Iterator<Item = f64> + use<> {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut state = hash ^ seed;
    (0..count).map(move |_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 40) as f64 / (1u64 << 24) as f64
    })
}

/// Weights as the pack's generator fills them.
fn filled(backbone: Backbone, head: Head, seed: u64) -> Network {
    let mut network = Network::initialised(backbone, head, Initialisation::default());
    let mut state = network.state_dict();
    let norms: Vec<String> =
        state.keys().filter_map(|key| key.strip_suffix(".running_mean").map(str::to_owned)).collect();
    let basic = matches!(backbone, Backbone::ResNet18 | Backbone::ResNet34);
    for (key, tensor) in &mut state {
        let (module, leaf) = key.rsplit_once('.').expect("names have a module");
        let is_norm = norms.iter().any(|norm| norm == module);
        let ends_block = module.ends_with("bn3") || (module.ends_with("bn2") && basic);
        let fan_in: usize = tensor.shape()[1..].iter().product();
        let is_head_bias = module == "head" && leaf == "bias";
        let values = draws(&format!("{backbone}/{key}"), seed, tensor.values().len()).map(|u| match leaf {
            "weight" if is_norm && ends_block => 0.2 + 0.2 * u,
            "weight" if is_norm => 0.5 + u,
            "weight" => (2.0 * u - 1.0) * (6.0 / fan_in as f64).sqrt(),
            "running_var" => 0.5 + u,
            _ if is_head_bias => 0.0,
            _ => (2.0 * u - 1.0) * 0.1,
        });
        let values: Vec<f32> = values.map(|value| value as f32).collect();
        tensor.values_mut().copy_from_slice(&values);
    }
    network.load_state_dict(state).expect("the state is the network's own");
    network
}

fn backbone(case: &Value) -> Backbone {
    text(case, "model").parse().expect("a backbone of the crate")
}

fn shape(case: &Value) -> Vec<usize> {
    numbers(&case["input_shape"]).iter().map(|n| *n as usize).collect()
}

fn input_values(case: &Value, seed: u64) -> Vec<f32> {
    let name = case["input_name"].as_str().map_or_else(|| format!("input/{}", text(case, "name")), str::to_owned);
    draws(&name, seed, shape(case).iter().product()).map(|u| (2.0 * u - 1.0) as f32).collect()
}

fn input(case: &Value, seed: u64) -> Tensor {
    let shape: [usize; 4] = shape(case).try_into().expect("four dimensions");
    Tensor::from_nchw(shape, &input_values(case, seed)).expect("as many values as the shape asks for")
}

fn evaluation(case: &Value, seed: u64) -> Deviation {
    let network = filled(backbone(case), Head::None, seed);
    let output = Predictor::new(&network).output(input(case, seed), "fc").expect("the pack's images fit the network");
    let expected: Vec<f64> = case["output_f64"].as_array().expect("a list").iter().flat_map(numbers).collect();
    let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let mut deviation = Deviation::none();
    for (index, (got, want)) in output.as_slice().iter().zip(&expected).enumerate() {
        deviation.see((f64::from(*got) - want).abs(), 2e-4 * largest, || format!("output {index}"));
    }
    deviation
}

fn optimiser(case: &Value) -> (Optimiser, f64) {
    match text(case, "optimiser") {
        "sgd" => (Optimiser::Sgd { momentum: 0.9, weight_decay: 1e-4 }, 1e-2),
        "adamw" => (Optimiser::adamw(1e-2), 1e-4),
        other => panic!("unknown optimiser {other}"),
    }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

/// The pack's names put `backbone.` before those of torchvision.
fn torchvision(name: &str) -> &str {
    name.strip_prefix("backbone.").unwrap_or(name)
}

/// Norms within 2e-3 relative and first elements within 2e-3 of the norm.
fn compare_norms(expected: &Value, got: &StateDict, what: &str, deviation: &mut Deviation) {
    for (name, value) in expected.as_object().expect("a table") {
        let tensor = got[torchvision(name)].values();
        let (want, first) = match value.as_array() {
            Some(_) => (numbers(value)[0], Some(numbers(value)[1])),
            None => (value.as_f64().expect("a number"), None),
        };
        deviation.see((norm(tensor) - want).abs(), 2e-3 * want, || format!("{what}: norm of {name}"));
        if let Some(first) = first {
            deviation.see((f64::from(tensor[0]) - first).abs(), 2e-3 * want, || format!("{what}: first of {name}"));
        }
    }
}

fn training(case: &Value, seed: u64) -> Deviation {
    let (optimiser, learning_rate) = optimiser(case);
    let network = filled(backbone(case), Head::Logit, seed);
    let mut trainer = Trainer::new(network, optimiser, WeightDecayRule::All).expect("the network has a head");
    let labels: Vec<bool> = numbers(&case["labels"]).iter().map(|label| *label > 0.5).collect();
    let (exact, single) = (numbers(&case["losses_f64"]), numbers(&case["losses_torch_f32"]));
    let mut deviation = Deviation::none();
    for (step, (exact, single)) in exact.iter().zip(&single).enumerate() {
        let gradients =
            trainer.gradients(input(case, seed), &labels, CrossEntropyLoss::default(), 0).expect("the batch fits");
        let allowed = (1e-3 * exact.abs()).max(10.0 * (single - exact).abs());
        deviation.see((gradients.loss() - exact).abs(), allowed, || format!("loss of step {step}"));
        if step == 0 {
            let named = trainer.named_gradients(&gradients);
            compare_norms(&case["step0_grad_norm_and_first"], &named, "gradient", &mut deviation);
        }
        trainer.update(&gradients, learning_rate);
    }
    let state = trainer.network().state_dict();
    compare_norms(&case["params_norm_and_first_after"], &state, "parameter", &mut deviation);
    compare_norms(&case["running_stats_norm_after"], &state, "statistic", &mut deviation);
    deviation
}

fn class_activation(case: &Value, seed: u64) -> Deviation {
    let backbone = backbone(case);
    let network = filled(backbone, Head::None, seed);
    let index = case["class_index"].as_u64().expect("a class") as usize;
    let options = GradCamOptions::default().with_output("fc", index);
    let map = grad_cam(&network, &input(case, seed), &options).expect("the case fits");
    let mut deviation = Deviation::none();
    for (pixel, (got, want)) in map.iter().zip(numbers(&case["map_f64"])).enumerate() {
        deviation.see((f64::from(*got) - want).abs(), 2e-3, || format!("pixel {pixel}"));
    }
    deviation
}

fn rotation(case: &Value, seed: u64) -> Deviation {
    let shape = shape(case);
    let image = Array2::from_shape_vec((shape[1], shape[2]), input_values(case, seed)).expect("a plane");
    let turned = rotate(&image, case["degrees"].as_f64().expect("an angle"));
    let mut deviation = Deviation::none();
    for (pixel, (got, want)) in turned.iter().zip(numbers(&case["values"])).enumerate() {
        deviation.see((f64::from(*got) - want).abs(), 1e-5, || format!("pixel {pixel}"));
    }
    deviation
}

fn generator(case: &Value, seed: u64) -> Deviation {
    let state = filled(backbone(case), Head::None, seed).state_dict();
    let values = state[text(case, "key")].values();
    let mut deviation = Deviation::none();
    for (index, (got, want)) in values.iter().zip(numbers(&case["values"])).enumerate() {
        deviation.see((f64::from(*got) - want).abs(), 1e-7, || format!("value {index}"));
    }
    deviation
}

fn resize(case: &Value, seed: u64, tolerance: f64) -> Deviation {
    let shape = shape(case);
    let image = Array2::from_shape_vec((shape[2], shape[3]), input_values(case, seed)).expect("a plane");
    let resized = alnm_imaging::region::resize_bilinear(image.view(), 224, 224).expect("the image is not empty");
    let mut deviation = Deviation::none();
    for (row, expected) in [0, 111, 223].into_iter().zip(case["rows_0_111_223"].as_array().expect("three rows")) {
        for (column, want) in numbers(expected).iter().enumerate() {
            deviation.see((f64::from(resized[[row, column]]) - want).abs(), tolerance, || {
                format!("pixel ({row}, {column})")
            });
        }
    }
    deviation
}

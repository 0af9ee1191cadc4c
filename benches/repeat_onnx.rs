//! Runs ONNX networks for scripts that compare with ONNX Runtime.
//!
//! `repeat_onnx THREADS INSTRUCTIONS` reads lines from the standard input and answers each with one line:
//! `load MODEL INPUTS` reads a network and its inputs, `run` runs it and tells the seconds, `write OUTPUTS` runs it and
//! writes what it gives, `peak` tells the peak memory in MiB. A failure is answered by `error` and its reason. Tensors lie
//! in files that begin with a line of JSON, `[["float32", [1, 3]], ...]`, after which their numbers follow.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use alnm_deep::{Instructions, OnnxNetwork, OnnxValue};
use ndarray::ArrayD;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn numbers<const N: usize, T>(bytes: &mut &[u8], shape: &[usize], of: impl Fn([u8; N]) -> T) -> Outcome<ArrayD<T>> {
    let count = shape.iter().product::<usize>() * N;
    let (here, rest) = bytes.split_at_checked(count).ok_or("too few numbers")?;
    *bytes = rest;
    Ok(ArrayD::from_shape_vec(shape, here.as_chunks::<N>().0.iter().map(|bytes| of(*bytes)).collect())?)
}

fn read(path: &str) -> Outcome<Vec<OnnxValue>> {
    let bytes = std::fs::read(path)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("no header")?;
    let header: Vec<(String, Vec<usize>)> = serde_json::from_slice(&bytes[..end])?;
    let mut rest = &bytes[end + 1..];
    header
        .iter()
        .map(|(kind, shape)| {
            Ok(match kind.as_str() {
                "float32" => OnnxValue::Floats(numbers(&mut rest, shape, f32::from_le_bytes)?),
                "int64" => OnnxValue::Integers(numbers(&mut rest, shape, i64::from_le_bytes)?),
                "bool" => OnnxValue::Booleans(numbers(&mut rest, shape, |[byte]| byte != 0)?),
                other => return Err(format!("the kind {other}").into()),
            })
        })
        .collect()
}

fn write(path: &str, values: &[OnnxValue]) -> Outcome<()> {
    let (mut header, mut bytes): (Vec<(&str, Vec<usize>)>, Vec<u8>) = Default::default();
    for value in values {
        match value {
            OnnxValue::Floats(array) => {
                header.push(("float32", array.shape().to_vec()));
                bytes.extend(array.iter().flat_map(|value| value.to_le_bytes()));
            }
            OnnxValue::Integers(array) => {
                header.push(("int64", array.shape().to_vec()));
                bytes.extend(array.iter().flat_map(|value| value.to_le_bytes()));
            }
            OnnxValue::Booleans(array) => {
                header.push(("bool", array.shape().to_vec()));
                bytes.extend(array.iter().map(|value| u8::from(*value)));
            }
            _ => return Err("a kind that is not known".into()),
        }
    }
    let mut file = serde_json::to_vec(&header)?;
    file.push(b'\n');
    file.extend(bytes);
    Ok(std::fs::write(path, file)?)
}

fn peak() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system tells no peak")?;
    Ok(line.split_whitespace().next().unwrap_or("0").parse::<f64>()? / 1024.0)
}

fn answer(
    line: &str,
    loaded: &mut Option<(OnnxNetwork, Vec<OnnxValue>)>,
    instructions: Instructions,
) -> Outcome<String> {
    let words: Vec<&str> = line.split('\t').collect();
    match words[..] {
        ["load", model, inputs] => {
            *loaded = None;
            let bytes = std::fs::read(model)?;
            *loaded = Some((OnnxNetwork::from_bytes_with_instructions(&bytes, &[], instructions)?, read(inputs)?));
            Ok("loaded".to_owned())
        }
        ["run"] => {
            let (network, inputs) = loaded.as_ref().ok_or("nothing is loaded")?;
            let inputs = inputs.clone();
            let start = Instant::now();
            network.run(inputs)?;
            Ok(start.elapsed().as_secs_f64().to_string())
        }
        ["write", outputs] => {
            let (network, inputs) = loaded.as_ref().ok_or("nothing is loaded")?;
            write(outputs, &network.run(inputs.clone())?)?;
            Ok("written".to_owned())
        }
        ["peak"] => Ok(peak()?.to_string()),
        _ => Err("an unknown line".into()),
    }
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [threads, instructions] = arguments.as_slice() else {
        return Err("usage: repeat_onnx THREADS INSTRUCTIONS".into());
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
    let set = Instructions::available().into_iter().find(|set| instructions == "best" || set.name() == instructions);
    let set = set.ok_or("this processor has no such instructions")?;
    let mut loaded = None;
    for line in std::io::stdin().lock().lines() {
        match answer(&line?, &mut loaded, set) {
            Ok(text) => println!("{text}"),
            Err(error) => println!("error {}", error.to_string().replace('\n', " ")),
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}

//! Networks small enough to be written by a test.

#![allow(dead_code, reason = "each test takes what it needs")]

/// A field of a message, as Protocol Buffers write it; the content is short.
pub(crate) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// An operation of a network.
pub(crate) fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs = inputs.iter().map(|input| field(1, input.as_bytes())).collect::<Vec<_>>().concat();
    [inputs, field(2, output.as_bytes()), field(4, operator.as_bytes())].concat()
}

/// An ONNX network from `x` to `y`, whose dimensions have these sizes; 0 is any size.
pub(crate) fn network(nodes: &[Vec<u8>], sizes: &[u8]) -> Vec<u8> {
    let size = |size: &u8| if *size == 0 { field(1, &[]) } else { field(1, &[8, *size]) };
    let sizes = sizes.iter().map(size).collect::<Vec<_>>().concat();
    let kind = field(1, &[&[8, 1], &field(2, &sizes)[..]].concat());
    let port = |number, name: &str| field(number, &[field(1, name.as_bytes()), field(2, &kind)].concat());
    let nodes = nodes.iter().map(|node| field(1, node)).collect::<Vec<_>>().concat();
    let graph = [nodes, port(11, "x"), port(12, "y")].concat();
    [vec![8, 8], field(8, &[16, 13]), long_field(7, &graph)].concat()
}

/// A field whose content may be longer than 127 bytes.
fn long_field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = [number << 3 | 2, u8::try_from(length & 0x7f).unwrap() | 0x80, u8::try_from(length >> 7).unwrap()];
    [&head, content].concat()
}

/// An ONNX network of one grey channel of 48 x 48 pixels: the mean of the image, and as its output the mean's negative.
pub(crate) fn mean_network() -> Vec<u8> {
    network(&[node("GlobalAveragePool", &["x"], "mean"), node("Neg", &["mean"], "y")], &[0, 1, 48, 48])
}

//! A network small enough to be written by a test.

/// A field of a message, as Protocol Buffers write it; the content is short.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// An ONNX network of one grey channel of 48 x 48 pixels: the mean of the image, and as its output the mean's negative.
pub(crate) fn mean_network() -> Vec<u8> {
    let node = |operator: &str, input: &str, output: &str| {
        let names = [field(1, input.as_bytes()), field(2, output.as_bytes()), field(4, operator.as_bytes())];
        field(1, &names.concat())
    };
    let sizes = [&[][..], &[8, 1], &[8, 48], &[8, 48]].map(|size| field(1, size)).concat();
    let kind = field(1, &[&[8, 1], &field(2, &sizes)[..]].concat());
    let port = |number, name: &str| field(number, &[field(1, name.as_bytes()), field(2, &kind)].concat());
    let nodes = [node("GlobalAveragePool", "x", "mean"), node("Neg", "mean", "y")].concat();
    let graph = [nodes, port(11, "x"), port(12, "y")].concat();
    [vec![8, 8], field(8, &[16, 13]), field(7, &graph)].concat()
}

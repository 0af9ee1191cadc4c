//! Layers with weights, made ready for the product kernels: convolutions and matrix products.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::elementwise::{Function, combine};
use super::value::{Floats, Layout, count_of};
use super::window::WindowSpecification;
use crate::kernel::convolution::Convolution;
use crate::kernel::epilogue::{Epilogue, Residual};
use crate::kernel::microkernel::{Buffer, STRIP};
use crate::kernel::panels::Panels;
use crate::kernel::spatial::{Span, SpatialConvolution, TransposedWeight};
use crate::kernel::winograd::Winograd;
use crate::kernel::workspace::Workspace;
use crate::tensor::{Activations, Tensor};

/// A convolution as the file describes it, with what follows it.
#[derive(Debug, Clone)]
pub(super) struct ConvolutionSpecification {
    pub(super) window: WindowSpecification,
    pub(super) groups: usize,
}

/// The weight and the bias of a convolution: (output, input of a group, place of the kernel...).
#[derive(Debug, Clone)]
pub(super) struct ConvolutionWeight {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
    pub(super) bias: Option<Vec<f32>>,
}

impl ConvolutionWeight {
    pub(super) fn new(weight: &Floats, bias: Option<&Floats>, workspace: &Workspace) -> Result<Self, String> {
        let shape = weight.shape().to_vec();
        if shape.len() < 3 || shape.contains(&0) {
            return Err(format!("the shape of the weight is {shape:?}; it must have at least three dimensions"));
        }
        let bias = bias.map(|bias| bias.stored().to_vec());
        Ok(Self { values: weight.in_order(workspace).stored().to_vec(), shape, bias })
    }

    /// The weight with what a normalisation does to each output.
    pub(super) fn with_affine(mut self, scale: &[f32], shift: &[f32]) -> Self {
        let size = self.values.len() / self.shape[0];
        for (values, scale) in self.values.chunks_exact_mut(size).zip(scale) {
            values.iter_mut().for_each(|value| *value *= scale);
        }
        let bias = self.bias.take().unwrap_or_else(|| vec![0.0; self.shape[0]]);
        self.bias =
            Some(bias.iter().zip(scale).zip(shift).map(|((bias, scale), shift)| bias * scale + shift).collect());
        self
    }
}

/// A convolution whose weight is packed.
#[derive(Debug)]
pub(super) struct ConvolutionLayer {
    specification: ConvolutionSpecification,
    kernel: Vec<usize>,
    inputs: usize,
    outputs: usize,
    bias: Option<Vec<f32>>,
    form: Form,
}

/// By which kernel a convolution is computed.
#[derive(Debug)]
enum Form {
    /// A square kernel with one step and one padding on both axes, or a kernel of a single place.
    Square { layer: Convolution, weight: Panels, transformed: OnceLock<Winograd> },
    /// Any other, a matrix for each group.
    Spatial(Vec<Panels>),
    /// A kernel of its own for every channel: (place, channel).
    Depthwise(Vec<f32>),
}

impl ConvolutionLayer {
    pub(super) fn new(specification: ConvolutionSpecification, weight: ConvolutionWeight) -> Result<Self, String> {
        let ConvolutionWeight { shape, values, bias } = weight;
        let (outputs, each, kernel) = (shape[0], shape[1], shape[2..].to_vec());
        let groups = specification.groups;
        if groups == 0 || !outputs.is_multiple_of(groups) {
            return Err(format!("group is {groups}; it must divide the {outputs} outputs"));
        }
        if bias.as_ref().is_some_and(|bias| bias.len() != outputs) {
            return Err(format!("the bias must have {outputs} values"));
        }
        if specification.window.kernel.as_ref().is_some_and(|named| *named != kernel) {
            return Err(format!(
                "kernel_shape is {:?}; the weight has the kernel {kernel:?}",
                specification.window.kernel
            ));
        }
        let inputs = each.checked_mul(groups).ok_or("the channels are too many")?;
        let taps = count_of(&kernel)?;
        // From (output, input, place) to (output, place, input).
        let mut ordered = vec![0.0; values.len()];
        for (from, into) in values.chunks_exact(each * taps).zip(ordered.chunks_exact_mut(each * taps)) {
            for input in 0..each {
                for tap in 0..taps {
                    into[tap * each + input] = from[input * taps + tap];
                }
            }
        }
        let patch = each * taps;
        let form = if let Some(layer) = square(&specification, &kernel, inputs, outputs) {
            let weight = Panels::of_rows(&ordered, outputs, patch, Buffer::zeros);
            Form::Square { layer, weight, transformed: OnceLock::new() }
        } else if each == 1 && groups == outputs {
            let by_place = (0..taps).flat_map(|tap| (0..outputs).map(move |output| output * taps + tap));
            Form::Depthwise(by_place.map(|place| ordered[place]).collect())
        } else {
            let of_group = ordered.chunks_exact(outputs / groups * patch);
            Form::Spatial(
                of_group.map(|group| Panels::of_rows(group, outputs / groups, patch, Buffer::zeros)).collect(),
            )
        };
        Ok(Self { specification, kernel, inputs, outputs, bias, form })
    }

    /// The output for an input; a residual of the output's shape is added, then the rectified linear unit applied.
    pub(super) fn run(
        &self,
        input: &Floats,
        residual: Option<&Floats>,
        relu: bool,
        workspace: &Workspace,
    ) -> Result<Floats, String> {
        let [images, channels, positions @ ..] = input.shape() else {
            return Err(format!("the shape is {:?}; it must have channels and positions", input.shape()));
        };
        if *channels != self.inputs {
            return Err(format!("the input has {channels} channels; the weight takes {}", self.inputs));
        }
        let spans = self.specification.window.spans(positions, &self.kernel)?;
        let sizes = spans[3 - positions.len()..].iter().map(|span| span.output);
        let shape: Vec<usize> = [*images, self.outputs].into_iter().chain(sizes).collect();
        let count = count_of(&shape)?;
        if residual.is_some_and(|residual| residual.shape() != shape) {
            let output = self.run(input, None, false, workspace)?;
            let mut sum = match residual {
                Some(residual) => combine(&output, residual, workspace, &|x: f32, y: f32| x + y)?,
                None => output,
            };
            if relu {
                Function::Relu.apply(sum.stored_mut(), workspace.instructions);
            }
            return Ok(sum);
        }
        let input = input.channels_last(workspace);
        let residual = residual.map(|residual| residual.channels_last(workspace));
        let residual = residual.as_ref().map_or(Residual::None, |residual| Residual::Of(residual.stored()));
        let epilogue = Epilogue { bias: self.bias.as_deref(), residual, relu };
        let layer = SpatialConvolution {
            images: *images,
            spans,
            inputs: self.inputs,
            outputs: self.outputs,
            groups: self.specification.groups,
        };
        let mut output = workspace.take_buffer(count);
        if count > 0 {
            match &self.form {
                Form::Square { layer, weight, transformed } => {
                    let [_, height, width] = spans;
                    let planar = if layer.kernel == 1 && layer.stride == 1 {
                        [
                            [*images, 1, positions.iter().product(), self.inputs],
                            [*images, 1, count / images / self.outputs, self.outputs],
                        ]
                    } else {
                        [
                            [*images, height.input, width.input, self.inputs],
                            [*images, height.output, width.output, self.outputs],
                        ]
                    };
                    let activations = Activations::new(planar[0], input.stored());
                    let mut into = Tensor::from_buffer(planar[1], output);
                    if layer.is_filtered(planar[0]) {
                        let weight = transformed
                            .get_or_init(|| Winograd::of_panels(workspace.instructions, weight, Buffer::zeros));
                        weight.forward(workspace.instructions, activations, epilogue, &mut into);
                    } else {
                        layer.forward(workspace.instructions, activations, weight, epilogue, &mut into);
                    }
                    output = into.into_buffer();
                }
                Form::Spatial(weight) => {
                    layer.forward(workspace.instructions, input.stored(), weight, epilogue, &mut output);
                }
                Form::Depthwise(weight) => {
                    layer.forward_depthwise(workspace.instructions, input.stored(), weight, epilogue, &mut output);
                }
            }
        }
        Ok(Floats::new(shape, output, Layout::ChannelsLast))
    }
}

/// The convolution as the fast kernels take it, where they do.
fn square(
    specification: &ConvolutionSpecification,
    kernel: &[usize],
    inputs: usize,
    outputs: usize,
) -> Option<Convolution> {
    let WindowSpecification { strides, dilations, pads, auto_pad, .. } = &specification.window;
    let all = |values: &[usize], value: usize| values.iter().all(|other| *other == value);
    let is_plain = specification.groups == 1 && all(dilations, 1) && *auto_pad == super::window::AutoPad::No;
    let (side, stride) = (kernel[0], strides.first().copied().unwrap_or(1));
    let padding = pads.first().copied().unwrap_or(0);
    let is_point = all(kernel, 1) && all(strides, 1) && all(pads, 0);
    let is_square = kernel.len() == 2 && all(kernel, side) && all(strides, stride) && all(pads, padding);
    let takes = is_plain && (is_point || is_square && padding < side && stride > 0);
    takes.then_some(Convolution { kernel: side, stride, padding, inputs, outputs })
}

/// A transposed convolution as the file describes it.
#[derive(Debug, Clone)]
pub(super) struct TransposedSpecification {
    pub(super) window: WindowSpecification,
    pub(super) groups: usize,
    pub(super) output_padding: Vec<usize>,
}

impl TransposedSpecification {
    /// The output for an input; the weight is (input, output of a group, place of the kernel...).
    pub(super) fn run(
        &self,
        input: &Floats,
        weight: &Floats,
        bias: Option<&Floats>,
        workspace: &Workspace,
    ) -> Result<Floats, String> {
        let ([images, channels, positions @ ..], [inputs, each, kernel @ ..]) = (input.shape(), weight.shape()) else {
            return Err(format!("the shapes are {:?} and {:?}", input.shape(), weight.shape()));
        };
        let (groups, rank) = (self.groups, positions.len());
        if inputs != channels || groups == 0 || !inputs.is_multiple_of(groups) || inputs * each == 0 {
            return Err(format!("the input has {channels} channels; the weight takes {inputs} in {groups} groups"));
        }
        let outputs = each.checked_mul(groups).ok_or("the channels are too many")?;
        if bias.is_some_and(|bias| bias.stored().len() != outputs) {
            return Err(format!("the bias must have {outputs} values"));
        }
        // The window of the convolution whose gradient this is steps over the output.
        let window = &self.window;
        let named = |values: &[usize], count: usize| values.is_empty() || values.len() == count;
        let sizes = [&window.strides, &window.dilations, &self.output_padding].iter().all(|values| named(values, rank));
        if !(1..=3).contains(&rank) || kernel.len() != rank || !sizes || !named(&window.pads, 2 * rank) {
            return Err(format!("kernel, strides, dilations or pads are not of {rank} dimensions"));
        }
        let mut spans = [Span::ONE; 3];
        for axis in 0..rank {
            let of = |values: &[usize], otherwise: usize| values.get(axis).copied().unwrap_or(otherwise);
            let (kernel, stride, dilation) = (kernel[axis], of(&window.strides, 1), of(&window.dilations, 1));
            let (before, after) = (of(&window.pads, 0), window.pads.get(rank + axis).copied().unwrap_or(0));
            let limit = 1 << 20;
            if [kernel, stride, dilation].iter().any(|size| !(1..=limit).contains(size)) || before.max(after) > limit {
                return Err("a size of the kernel, a stride, a dilation or a pad is 0 or too large".to_owned());
            }
            let full = (positions[axis].max(1) - 1) * stride
                + (kernel - 1) * dilation
                + 1
                + of(&self.output_padding, 0).min(limit);
            let output = full.checked_sub(before + after).filter(|_| positions[axis] > 0);
            let output = output.ok_or_else(|| format!("the pads are {:?}, more than the output has", window.pads))?;
            spans[3 - rank + axis] = Span { input: positions[axis], output, kernel, stride, dilation, before, after };
        }
        let shape: Vec<usize> =
            [*images, outputs].into_iter().chain(spans[3 - rank..].iter().map(|span| span.output)).collect();
        let layer = SpatialConvolution { images: *images, spans, inputs: *inputs, outputs, groups };
        let mut output = Floats::take(workspace, shape, Layout::ChannelsLast)?;
        if output.stored().is_empty() {
            return Ok(output);
        }
        let packed = TransposedWeight::of(&layer, weight.in_order(workspace).stored());
        let input = input.channels_last(workspace);
        let bias = bias.map(Floats::stored);
        layer.forward_transposed(workspace.instructions, input.stored(), &packed, bias, output.stored_mut());
        Ok(output)
    }
}

/// A matrix of (depth × outputs) as a right factor, packed, with what is added to each output.
#[derive(Debug)]
pub(super) struct LinearLayer {
    panels: Panels,
    pub(super) bias: Option<Vec<f32>>,
}

impl LinearLayer {
    /// Packs a matrix (depth × outputs), or (outputs × depth) where it is transposed.
    pub(super) fn new(matrix: &[f32], depth: usize, outputs: usize, transposed: bool) -> Self {
        let panels = if transposed {
            Panels::of_rows(matrix, outputs, depth, Buffer::zeros)
        } else {
            columns(matrix, depth, outputs, Buffer::zeros)
        };
        Self { panels, bias: None }
    }

    pub(super) fn scaled(mut self, factor: f32) -> Self {
        if factor != 1.0 {
            self.panels.scale(&vec![factor; self.panels.outputs()]);
        }
        self
    }

    pub(super) fn outputs(&self) -> usize {
        self.panels.outputs()
    }

    /// The product of rows with the matrix.
    pub(super) fn run(&self, input: &Floats, workspace: &Workspace) -> Result<Floats, String> {
        let Some((last, outer)) = input.shape().split_last() else {
            return Err("a number is no matrix".to_owned());
        };
        if *last != self.panels.depth() {
            return Err(format!(
                "the shape {:?} does not go with a matrix of {} rows",
                input.shape(),
                self.panels.depth()
            ));
        }
        let shape = [outer, &[self.panels.outputs()]].concat();
        count_of(&shape)?;
        let rows = outer.iter().product();
        let input = input.in_order(workspace);
        let output = product(input.stored(), rows, &self.panels, self.bias.as_deref(), workspace);
        Ok(Floats::plain(shape, output))
    }
}

/// A matrix (depth × outputs) as panels.
fn columns(matrix: &[f32], depth: usize, outputs: usize, memory: impl FnOnce(usize) -> Buffer) -> Panels {
    Panels::from_fn(outputs, depth, memory, |first, into| {
        let here = STRIP.min(outputs - first);
        for (row, into) in into.chunks_exact_mut(STRIP).enumerate() {
            into[..here].copy_from_slice(&matrix[row * outputs + first..][..here]);
        }
    })
}

/// `rows` rows times a packed matrix.
fn product(left: &[f32], rows: usize, panels: &Panels, bias: Option<&[f32]>, workspace: &Workspace) -> Buffer {
    let (depth, outputs) = (panels.depth(), panels.outputs());
    let mut output = Tensor::from_buffer([1, 1, rows, outputs], workspace.take_buffer(rows * outputs));
    if depth == 0 {
        output.as_mut_slice().fill(0.0);
    }
    if depth * rows * outputs > 0 {
        let layer = Convolution { kernel: 1, stride: 1, padding: 0, inputs: depth, outputs };
        let epilogue = Epilogue { bias, ..Epilogue::default() };
        let left = Activations::new([1, 1, rows, depth], left);
        layer.forward(workspace.instructions, left, panels, epilogue, &mut output);
    }
    output.into_buffer()
}

/// The product of matrices in the last two dimensions, the others broadcast.
pub(super) fn matrix_product(first: &Floats, second: &Floats, workspace: &Workspace) -> Result<Floats, String> {
    let wrong = || format!("the shapes {:?} and {:?} have no product", first.shape(), second.shape());
    if first.shape().is_empty() || second.shape().is_empty() {
        return Err(wrong());
    }
    let as_matrix = |shape: &[usize], is_row: bool| match shape {
        [length] if is_row => vec![1, *length],
        [length] => vec![*length, 1],
        shape => shape.to_vec(),
    };
    let (a_shape, b_shape) = (as_matrix(first.shape(), true), as_matrix(second.shape(), false));
    let ([a_outer @ .., rows, depth], [b_outer @ .., b_depth, outputs]) = (&a_shape[..], &b_shape[..]) else {
        return Err(wrong());
    };
    if depth != b_depth {
        return Err(wrong());
    }
    let outer = super::value::broadcast_shape(a_outer, b_outer)?;
    let shape = [&outer[..], &[*rows, *outputs]].concat();
    let count = count_of(&shape)?;
    let (a, b) = (first.in_order(workspace), second.in_order(workspace));
    let mut buffer = workspace.take_buffer(count);
    if b_outer.iter().all(|size| *size == 1) && a_outer == outer {
        let panels = columns(b.stored(), *depth, *outputs, |size| workspace.take_buffer(size));
        buffer = product(a.stored(), outer.iter().product::<usize>() * rows, &panels, None, workspace);
    } else {
        let strides = [a_outer, b_outer].map(|shape| super::value::broadcast_strides(shape, &outer));
        let steps = strides.each_ref().map(|strides| strides.last().copied().unwrap_or(0));
        let length = outer.last().copied().unwrap_or(1);
        let size = rows * outputs;
        super::value::for_each_run(&outer, [&strides[0], &strides[1]], |place, [at_a, at_b]| {
            for index in 0..length {
                let left = &a.stored()[(at_a + index * steps[0]) * rows * depth..][..rows * depth];
                let right = &b.stored()[(at_b + index * steps[1]) * depth * outputs..][..depth * outputs];
                let panels = columns(right, *depth, *outputs, |size| workspace.take_buffer(size));
                let result = product(left, *rows, &panels, None, workspace);
                buffer[(place + index) * size..][..size].copy_from_slice(&result);
            }
        });
    }
    let mut shape = shape;
    if second.shape().len() == 1 {
        shape.pop();
    }
    if first.shape().len() == 1 {
        shape.remove(outer.len());
    }
    Ok(Floats::plain(shape, buffer))
}

/// `α·A·B + β·C`, with A or B transposed where asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GeneralProduct {
    pub(super) alpha: f32,
    pub(super) beta: f32,
    pub(super) transposes_first: bool,
    pub(super) transposes_second: bool,
}

impl GeneralProduct {
    /// The second factor and the addend made ready, where the addend has one value for each output or is absent.
    pub(super) fn packed(
        &self,
        second: &Floats,
        addend: Option<&Floats>,
        workspace: &Workspace,
    ) -> Result<LinearLayer, String> {
        let &[rows, columns] = second.shape() else {
            return Err(format!("the shape of the second factor is {:?}; it must be a matrix", second.shape()));
        };
        let (depth, outputs) = if self.transposes_second { (columns, rows) } else { (rows, columns) };
        let plain = second.in_order(workspace);
        let mut layer = LinearLayer::new(plain.stored(), depth, outputs, self.transposes_second).scaled(self.alpha);
        if let Some(addend) = addend.filter(|addend| is_bias(addend.shape(), outputs)) {
            let stored = addend.stored();
            layer.bias = Some((0..outputs).map(|index| self.beta * stored[index % stored.len()]).collect());
        }
        Ok(layer)
    }

    pub(super) fn run(
        &self,
        first: &Floats,
        second: &Floats,
        addend: Option<&Floats>,
        workspace: &Workspace,
    ) -> Result<Floats, String> {
        let layer = self.packed(second, addend, workspace)?;
        let product = self.run_packed(first, &layer, workspace)?;
        match addend.filter(|addend| !is_bias(addend.shape(), layer.outputs())) {
            None => Ok(product),
            Some(addend) => {
                let beta = self.beta;
                let sum = combine(&product, addend, workspace, &move |x: f32, y: f32| x + beta * y)?;
                if sum.shape() != product.shape() {
                    return Err(format!("the shape {:?} cannot be added to {:?}", addend.shape(), product.shape()));
                }
                Ok(sum)
            }
        }
    }

    pub(super) fn run_packed(
        &self,
        first: &Floats,
        layer: &LinearLayer,
        workspace: &Workspace,
    ) -> Result<Floats, String> {
        let &[rows, columns] = first.shape() else {
            return Err(format!("the shape of the first factor is {:?}; it must be a matrix", first.shape()));
        };
        let first = if self.transposes_first {
            let plain = first.in_order(workspace);
            let mut turned = Floats::take(workspace, vec![columns, rows], Layout::Plain)?;
            super::value::transpose_matrices(plain.stored(), rows, columns, turned.stored_mut());
            Cow::Owned(turned)
        } else {
            Cow::Borrowed(first)
        };
        layer.run(&first, workspace)
    }
}

/// Whether a shape is one value for each output, or one for all.
pub(super) fn is_bias(shape: &[usize], outputs: usize) -> bool {
    let (last, outer) = shape.split_last().map_or((1, &[][..]), |(last, outer)| (*last, outer));
    (last == outputs || last == 1) && outer.iter().all(|size| *size == 1)
}

//! The steps of a network in the order in which they are run: found from its outputs, with what never changes computed
//! beforehand and neighbours joined that one kernel computes.

use std::collections::HashMap;
use std::sync::Arc;

use super::elementwise::{Arithmetic, Function};
use super::layer::{ConvolutionLayer, ConvolutionSpecification, ConvolutionWeight, LinearLayer, is_bias};
use super::model::{Model, ModelNode};
use super::operator::{Inputs, Operator, batch_affine};
use super::value::{Floats, Value};
use crate::kernel::workspace::Workspace;

/// The place of a value among those of a network.
pub(super) type ValueId = usize;

/// An operation with the values that it reads and makes.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) operator: Operator,
    /// How errors name it.
    pub(super) title: String,
    pub(super) inputs: Vec<Option<ValueId>>,
    pub(super) outputs: Vec<Option<ValueId>>,
}

/// A network ready to run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) constants: HashMap<ValueId, Arc<Value>>,
    pub(super) inputs: Vec<ValueId>,
    pub(super) outputs: Vec<ValueId>,
    /// Number of values.
    pub(super) values: usize,
}

impl Plan {
    /// The steps that make the named values.
    pub(super) fn of(model: Model, outputs: &[String], workspace: &Workspace) -> Result<Self, String> {
        let Model { opset, nodes, initializers, inputs, .. } = model;
        let mut names = Names::default();
        let mut constants: HashMap<ValueId, Arc<Value>> =
            initializers.into_iter().map(|(name, value)| (names.id(&name), value)).collect();
        let inputs: Vec<ValueId> = inputs.iter().map(|port| names.id(&port.name)).collect();
        let mut makers: HashMap<ValueId, usize> = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            for name in node.outputs.iter().filter(|name| !name.is_empty()) {
                let id = names.id(name);
                let is_given = constants.contains_key(&id) || inputs.contains(&id);
                if is_given || makers.insert(id, index).is_some() {
                    return Err(format!("the value {name} is made twice, the second time by {}", node.title()));
                }
            }
        }
        let targets: Vec<ValueId> = outputs
            .iter()
            .map(|name| {
                let id = names
                    .find(name)
                    .filter(|id| makers.contains_key(id) || constants.contains_key(id) || inputs.contains(id));
                id.ok_or_else(|| format!("the output is {name}, which the network does not make"))
            })
            .collect::<Result<_, _>>()?;
        let mut steps = Vec::new();
        for index in order(&nodes, &names, &makers, &targets, |id| constants.contains_key(&id) || inputs.contains(&id))?
        {
            let node = &nodes[index];
            let title = node.title();
            let operator = Operator::of(node, opset).map_err(|reason| format!("{title}: {reason}"))?;
            let operator =
                operator.ok_or_else(|| format!("the operator {title} is not supported (operator set {opset})"))?;
            let ids = |names_of: &[String]| {
                names_of.iter().map(|name| if name.is_empty() { None } else { names.find(name) }).collect()
            };
            let step = Step { operator, title, inputs: ids(&node.inputs), outputs: ids(&node.outputs) };
            if let Some(made) = folded(&step, &constants, workspace)? {
                constants
                    .extend(step.outputs.iter().zip(made).filter_map(|(id, value)| Some(((*id)?, Arc::new(value)))));
            } else {
                steps.push(step);
            }
        }
        let mut plan = Self { steps, constants, inputs, outputs: targets, values: names.0.len() };
        plan.join_neighbours(workspace)?;
        plan.forget_unread_constants();
        Ok(plan)
    }

    /// Index of the step after which each value is not read any more; the number of steps for outputs.
    pub(super) fn last_uses(&self) -> Vec<usize> {
        let mut last = vec![0; self.values];
        for (index, step) in self.steps.iter().enumerate() {
            step.inputs.iter().flatten().for_each(|id| last[*id] = index);
        }
        self.outputs.iter().for_each(|id| last[*id] = self.steps.len());
        last
    }

    fn forget_unread_constants(&mut self) {
        let mut read = vec![false; self.values];
        self.steps
            .iter()
            .flat_map(|step| step.inputs.iter().flatten())
            .chain(&self.outputs)
            .for_each(|id| read[*id] = true);
        self.constants.retain(|id, _| read[*id]);
    }

    fn constant_floats(&self, id: Option<ValueId>) -> Option<&Floats> {
        self.constants.get(&id?)?.as_floats().ok()
    }

    /// Packs weights that never change, and joins what follows a layer with it where nothing else reads what lies
    /// between: normalisations, additions, rectified linear units.
    fn join_neighbours(&mut self, workspace: &Workspace) -> Result<(), String> {
        let mut readers = vec![0usize; self.values];
        self.steps
            .iter()
            .flat_map(|step| step.inputs.iter().flatten())
            .chain(&self.outputs)
            .for_each(|id| readers[*id] += 1);
        let mut makers: Vec<Option<usize>> = vec![None; self.values];
        let mut joined: Vec<Option<Draft>> = Vec::new();
        for step in std::mem::take(&mut self.steps) {
            let draft = self.draft(step, &mut joined, &readers, &makers, workspace)?;
            draft.step.outputs.iter().flatten().for_each(|id| makers[*id] = Some(joined.len()));
            joined.push(Some(draft));
        }
        for draft in joined.into_iter().flatten() {
            let title = draft.step.title.clone();
            self.steps.push(draft.finished().map_err(|reason| format!("{title}: {reason}"))?);
        }
        Ok(())
    }

    /// The step, joined with the one before it where that can be; that one is then taken out of the list.
    fn draft(
        &self,
        step: Step,
        joined: &mut [Option<Draft>],
        readers: &[usize],
        makers: &[Option<usize>],
        workspace: &Workspace,
    ) -> Result<Draft, String> {
        // The draft whose output this step alone reads.
        let mut before = |place: usize, fits: &dyn Fn(&Draft) -> bool| -> Option<Draft> {
            let id = step.inputs.get(place).copied().flatten().filter(|id| readers[*id] == 1)?;
            joined[makers[id]?].take_if(|draft| fits(draft) && draft.step.outputs.first() == Some(&Some(id)))
        };
        match &step.operator {
            Operator::Convolution(specification) => {
                let bias = step.inputs.get(2).copied().flatten();
                let of_bias = self.constant_floats(bias);
                if let Some(weight) = self.constant_floats(step.inputs.get(1).copied().flatten())
                    && of_bias.is_some() == bias.is_some()
                {
                    let weight = ConvolutionWeight::new(weight, of_bias, workspace)
                        .map_err(|reason| format!("{}: {reason}", step.title))?;
                    let layer = Weighted::Convolution { specification: specification.clone(), weight, relu: false };
                    return Ok(Draft { layer: Some(layer), step: Step { inputs: vec![step.inputs[0]], ..step } });
                }
            }
            Operator::MatMul => {
                if let Some(matrix) = self.constant_floats(step.inputs.get(1).copied().flatten())
                    && let &[depth, outputs] = matrix.shape()
                {
                    let plain = matrix.in_order(workspace);
                    let layer = LinearLayer::new(plain.stored(), depth, outputs, false);
                    let operator = Operator::Linear { layer: Box::new(layer), product: None };
                    return Ok(Draft::of(Step { operator, inputs: vec![step.inputs[0]], ..step }));
                }
            }
            Operator::Gemm(product) => {
                let addend = step.inputs.get(2).copied().flatten();
                let of_addend = self.constant_floats(addend);
                if let Some(second) = self.constant_floats(step.inputs.get(1).copied().flatten())
                    && let &[rows, columns] = second.shape()
                    && of_addend.is_some() == addend.is_some()
                    && of_addend.is_none_or(|addend| {
                        is_bias(addend.shape(), if product.transposes_second { rows } else { columns })
                    })
                {
                    let layer = product.packed(second, of_addend, workspace)?;
                    let operator = Operator::Linear { layer: Box::new(layer), product: Some(*product) };
                    return Ok(Draft::of(Step { operator, inputs: vec![step.inputs[0]], ..step }));
                }
            }
            Operator::BatchNormalization { epsilon } => {
                let statistics: Option<Vec<&Floats>> =
                    (1..5).map(|place| self.constant_floats(step.inputs.get(place).copied().flatten())).collect();
                if let Some(statistics) = statistics {
                    let affine = batch_affine(&|place| Ok(statistics[place - 1]), *epsilon)
                        .map_err(|reason| format!("{}: {reason}", step.title))?;
                    let channels = affine.scale.len();
                    if let Some(mut draft) = before(0, &|draft| draft.takes_normalisation(channels)) {
                        draft.normalise(&affine.scale, &affine.shift);
                        draft.step.outputs = step.outputs;
                        return Ok(draft);
                    }
                    let operator = Operator::Affine { affine, relu: false };
                    return Ok(Draft::of(Step { operator, inputs: vec![step.inputs[0]], ..step }));
                }
            }
            Operator::Apply(Function::Relu) => {
                if let Some(mut draft) = before(0, &Draft::takes_relu) {
                    draft.rectify();
                    draft.step.outputs = step.outputs;
                    return Ok(draft);
                }
            }
            Operator::Arithmetic(Arithmetic::Mul) => {
                for place in [0, 1] {
                    let Some(&other) = step.inputs.get(1 - place) else { continue };
                    if let Some(mut draft) = before(place, &|draft| draft.is_sigmoid_of(other)) {
                        draft.step.operator = Operator::Apply(Function::Silu);
                        draft.step.outputs = step.outputs;
                        return Ok(draft);
                    }
                }
            }
            Operator::Arithmetic(Arithmetic::Add) => {
                // The later of two layers takes what the other made, which is there by then.
                let made = |place: usize| step.inputs.get(place).copied().flatten().and_then(|id| makers[id]);
                let places = if made(0) < made(1) { [1, 0] } else { [0, 1] };
                for place in places {
                    let Some(other) = step.inputs.get(1 - place).copied().flatten() else { continue };
                    if let Some(addend) = self.constant_floats(Some(other)) {
                        if let Some(mut draft) = before(place, &|draft| draft.takes_bias(addend.shape())) {
                            draft.add_bias(addend.stored());
                            draft.step.outputs = step.outputs;
                            return Ok(draft);
                        }
                    } else if step.inputs.get(place).is_some_and(|id| *id != Some(other))
                        && let Some(mut draft) = before(place, &Draft::takes_residual)
                    {
                        draft.step.inputs.push(Some(other));
                        draft.step.outputs = step.outputs;
                        return Ok(draft);
                    }
                }
            }
            _ => {}
        }
        Ok(Draft::of(step))
    }
}

/// A step that others may still be joined with.
struct Draft {
    step: Step,
    /// A convolution before its weight is packed.
    layer: Option<Weighted>,
}

/// A layer whose weight can still change.
enum Weighted {
    Convolution { specification: ConvolutionSpecification, weight: ConvolutionWeight, relu: bool },
}

impl Draft {
    fn of(step: Step) -> Self {
        Self { step, layer: None }
    }

    fn takes_normalisation(&self, channels: usize) -> bool {
        let Some(Weighted::Convolution { weight, relu, .. }) = &self.layer else { return false };
        !relu && self.step.inputs.len() == 1 && weight.shape[0] == channels
    }

    fn normalise(&mut self, scale: &[f32], shift: &[f32]) {
        if let Some(Weighted::Convolution { specification, weight, relu }) = self.layer.take() {
            let weight = weight.with_affine(scale, shift);
            self.layer = Some(Weighted::Convolution { specification, weight, relu });
        }
    }

    fn takes_relu(&self) -> bool {
        match (&self.layer, &self.step.operator) {
            (Some(Weighted::Convolution { relu, .. }), _) | (None, Operator::Affine { relu, .. }) => !relu,
            _ => false,
        }
    }

    fn rectify(&mut self) {
        match (&mut self.layer, &mut self.step.operator) {
            (Some(Weighted::Convolution { relu, .. }), _) | (None, Operator::Affine { relu, .. }) => *relu = true,
            _ => {}
        }
    }

    fn is_sigmoid_of(&self, value: Option<ValueId>) -> bool {
        matches!(self.step.operator, Operator::Apply(Function::Sigmoid)) && self.step.inputs == [value]
    }

    fn takes_residual(&self) -> bool {
        let Some(Weighted::Convolution { relu, .. }) = &self.layer else { return false };
        !relu && self.step.inputs.len() == 1
    }

    fn takes_bias(&self, shape: &[usize]) -> bool {
        let Operator::Linear { layer, .. } = &self.step.operator else { return false };
        layer.bias.is_none() && shape.len() <= 1 && is_bias(shape, layer.outputs())
    }

    fn add_bias(&mut self, values: &[f32]) {
        if let Operator::Linear { layer, .. } = &mut self.step.operator {
            layer.bias = Some((0..layer.outputs()).map(|index| values[index % values.len()]).collect());
        }
    }

    fn finished(self) -> Result<Step, String> {
        let Some(Weighted::Convolution { specification, weight, relu }) = self.layer else { return Ok(self.step) };
        let layer = Box::new(ConvolutionLayer::new(specification, weight)?);
        Ok(Step { operator: Operator::Layer { layer, relu }, ..self.step })
    }
}

/// The outputs of a step whose inputs never change, where they are worth keeping.
fn folded(
    step: &Step,
    constants: &HashMap<ValueId, Arc<Value>>,
    workspace: &Workspace,
) -> Result<Option<Vec<Value>>, String> {
    let inputs: Option<Vec<Option<Arc<Value>>>> = step
        .inputs
        .iter()
        .map(|id| id.map_or(Some(None), |id| constants.get(&id).map(|value| Some(Arc::clone(value)))))
        .collect();
    let Some(inputs) = inputs else { return Ok(None) };
    let values: Vec<&Value> = inputs.iter().flatten().map(|value| &**value).collect();
    if !step.operator.can_be_folded(&values) {
        return Ok(None);
    }
    let made = step.operator.run(Inputs(inputs), step.outputs.len(), workspace);
    // In memory of their own: constants stay as long as the network.
    let made = made.map_err(|reason| format!("{}: {reason}", step.title))?;
    Ok(Some(made.into_iter().map(Value::into_owned).collect()))
}

/// Numbers of values by their names.
#[derive(Default)]
struct Names(HashMap<String, ValueId>);

impl Names {
    fn id(&mut self, name: &str) -> ValueId {
        let next = self.0.len();
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    fn find(&self, name: &str) -> Option<ValueId> {
        self.0.get(name).copied()
    }
}

/// The nodes that make the targets, each after those whose values it reads.
fn order(
    nodes: &[ModelNode],
    names: &Names,
    makers: &HashMap<ValueId, usize>,
    targets: &[ValueId],
    is_given: impl Fn(ValueId) -> bool,
) -> Result<Vec<usize>, String> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Unseen,
        Open,
        Done,
    }
    let mut marks = vec![Mark::Unseen; nodes.len()];
    let mut sorted = Vec::new();
    // Nodes with the number of their inputs that were followed: a walk without recursion, as graphs may be deep.
    let mut open: Vec<(usize, usize)> = Vec::new();
    for target in targets {
        if let Some(maker) = makers.get(target).filter(|maker| marks[**maker] == Mark::Unseen) {
            marks[*maker] = Mark::Open;
            open.push((*maker, 0));
        }
        while let Some((index, place)) = open.pop() {
            let node = &nodes[index];
            let Some(name) = node.inputs.get(place) else {
                marks[index] = Mark::Done;
                sorted.push(index);
                continue;
            };
            open.push((index, place + 1));
            let id = names.find(name);
            if name.is_empty() || id.is_some_and(&is_given) {
                continue;
            }
            let maker = id.and_then(|id| makers.get(&id));
            let maker = *maker.ok_or_else(|| format!("{} reads {name}, which nothing makes", node.title()))?;
            match marks[maker] {
                Mark::Unseen => {
                    marks[maker] = Mark::Open;
                    open.push((maker, 0));
                }
                Mark::Open => return Err(format!("the operations form a cycle through {}", nodes[maker].title())),
                Mark::Done => {}
            }
        }
    }
    Ok(sorted)
}

//! Which activations a forward pass keeps for the backward pass, and which are computed again there.

use serde::{Deserialize, Serialize};

use crate::graph::{Graph, NodeId, Operation};

/// Which activations a training step computes again in its backward pass instead of keeping them: less memory for more
/// time. Every choice gives the same bits.
///
/// Activations that no gradient needs are never kept, whatever is chosen: those of layers before which everything is
/// frozen, and those that a rectified linear unit or a dropout alone reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Recomputation {
    /// Nothing is computed twice.
    None,
    /// What costs little: batch normalisations, rectified linear units, concatenations, and convolutions of few
    /// products for each value; of the ends of residual blocks every second one.
    #[default]
    Cheap,
    /// Everything between the ends of residual blocks and the stages that have names: a second forward pass.
    Blocks,
}

/// Products for each value of a convolution up to which it is cheap.
const CHEAP_PATCH: usize = 64;

/// What becomes of each activation between its computation and the backward pass.
#[derive(Debug, Clone)]
pub(crate) struct Retention {
    /// Whether the backward pass finds the activation.
    keeps: Vec<bool>,
    /// The last node that reads it in the forward pass; the node itself where none does.
    last_reader: Vec<NodeId>,
}

impl Retention {
    /// Every activation is kept.
    pub(crate) fn everything(graph: &Graph) -> Self {
        Self { keeps: vec![true; graph.outputs()], last_reader: (0..graph.outputs()).collect() }
    }

    /// What the gradients of the marked parameters need, but for what is to be computed again.
    pub(crate) fn of(graph: &Graph, trained: &[bool], recomputation: Recomputation) -> Self {
        let mut needed = needed(graph, trained);
        let mut keeps = vec![true; graph.outputs()];
        let mut repeats = vec![false; graph.outputs()];
        for id in 1..graph.outputs() {
            repeats[id] = match recomputation {
                Recomputation::None => false,
                Recomputation::Cheap => is_cheap(graph, id, &needed, &keeps),
                Recomputation::Blocks => !ends_block(graph, id) && can_be_repeated(graph, id),
            };
            keeps[id] = needed[id] && !repeats[id];
        }
        // What is computed again is made of what is kept or computed again itself.
        for id in (1..graph.outputs()).rev().filter(|id| repeats[*id]) {
            let sources = if needed[id] { graph.sources(id).collect() } else { Vec::new() };
            for source in sources.into_iter().filter(|source| *source > 0) {
                needed[source] = true;
                keeps[source] = !repeats[source];
            }
        }
        keeps[graph.output] = true;
        let mut last_reader: Vec<NodeId> = (0..graph.outputs()).collect();
        for id in 1..graph.outputs() {
            graph.sources(id).for_each(|source| last_reader[source] = id);
        }
        Self { keeps, last_reader }
    }

    /// The activations that can go once `node` has been computed.
    pub(crate) fn done_after<'a>(&'a self, graph: &'a Graph, node: NodeId) -> impl Iterator<Item = NodeId> + 'a {
        let sources = graph.sources(node).chain([node]);
        sources.filter(move |source| !self.keeps[*source] && self.last_reader[*source] == node)
    }
}

/// Marks the parameters' nodes and everything after them: the nodes that a gradient passes.
pub(super) fn leading_to_parameters(graph: &Graph, trained: &[bool]) -> Vec<bool> {
    let mut leads = vec![false; graph.outputs()];
    for id in 1..leads.len() {
        leads[id] = graph.parameters_of(id).any(|parameter| trained[parameter])
            || graph.sources(id).any(|source| leads[source]);
    }
    leads
}

/// The activations that the backward pass reads.
fn needed(graph: &Graph, trained: &[bool]) -> Vec<bool> {
    let leads = leading_to_parameters(graph, trained);
    let mut needed = vec![false; graph.outputs()];
    for id in (1..graph.outputs()).filter(|id| leads[*id]) {
        let source = graph.node(id).inputs[0];
        match graph.node(id).operation {
            Operation::Convolution { weight, .. } => needed[source] |= trained[weight],
            Operation::BatchNorm { residual, relu, .. } => {
                needed[source] = true;
                needed[id] |= relu && residual.is_some();
            }
            Operation::Relu => needed[id] = true,
            Operation::MaxPool(_) | Operation::AveragePool(_) | Operation::Concatenate | Operation::Dropout(_) => {}
        }
    }
    needed
}

/// Whether the operation can be computed again from the tape: pooling would find its maxima a second time.
fn can_be_repeated(graph: &Graph, id: NodeId) -> bool {
    !matches!(graph.node(id).operation, Operation::MaxPool(_))
}

fn is_residual_end(graph: &Graph, id: NodeId) -> bool {
    matches!(graph.node(id).operation, Operation::BatchNorm { residual: Some(_), .. })
}

fn ends_block(graph: &Graph, id: NodeId) -> bool {
    is_residual_end(graph, id) || graph.stage_nodes().any(|stage| stage == id)
}

/// Whether an activation costs little to compute again; `keeps` is settled for the nodes before it.
fn is_cheap(graph: &Graph, id: NodeId, needed: &[bool], keeps: &[bool]) -> bool {
    match graph.node(id).operation {
        Operation::BatchNorm { residual: None, .. } | Operation::Concatenate => true,
        // Where nothing else needs the input, the output is what is kept.
        Operation::Relu => needed[graph.node(id).inputs[0]],
        // The end of the block before is what the chain of computations rests on.
        Operation::BatchNorm { residual: Some(residual), .. } => !is_residual_end(graph, residual) || keeps[residual],
        Operation::Convolution { layer, .. } => layer.patch() <= CHEAP_PATCH,
        Operation::MaxPool(_) | Operation::AveragePool(_) | Operation::Dropout(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::Backbone;

    /// Values of the activations that are kept, as shares of those that are kept without recomputation.
    fn share(backbone: Backbone, recomputation: Recomputation) -> f64 {
        let graph = backbone.graph();
        let shapes = graph.shapes([1, 224, 224, 3]);
        let kept = |recomputation| -> usize {
            let retention = Retention::of(&graph, &vec![true; graph.parameters.len()], recomputation);
            let kept = shapes.iter().zip(&retention.keeps).filter(|(_, keeps)| **keeps);
            kept.map(|(shape, _)| shape.iter().product::<usize>()).sum()
        };
        kept(recomputation) as f64 / kept(Recomputation::None) as f64
    }

    #[test]
    fn fewer_activations_are_kept_step_by_step() {
        for backbone in Backbone::ALL {
            let [cheap, blocks] = [Recomputation::Cheap, Recomputation::Blocks].map(|choice| share(backbone, choice));
            assert!(blocks < 0.5 && blocks <= cheap && cheap <= 1.0, "{backbone}: {cheap} {blocks}");
        }
        assert!(share(Backbone::ResNet50, Recomputation::Cheap) < 0.6);
    }

    #[test]
    fn nothing_is_kept_below_frozen_layers() {
        let graph = Backbone::ResNet18.graph();
        let trained: Vec<bool> = graph.parameters.iter().map(|parameter| parameter.name.starts_with("fc.")).collect();
        let retention = Retention::of(&graph, &trained, Recomputation::None);
        let kept: Vec<NodeId> = (1..graph.outputs()).filter(|id| retention.keeps[*id]).collect();
        assert_eq!(kept, [graph.node_of("avgpool").unwrap(), graph.output]);
    }

    /// Going back from what the backward pass reads never leads to an activation that is gone.
    #[test]
    fn what_is_needed_can_be_had() {
        for backbone in Backbone::ALL {
            let graph = backbone.graph();
            for recomputation in [Recomputation::None, Recomputation::Cheap, Recomputation::Blocks] {
                for frozen in ["", "layer2", "features.denseblock2", "features.7"] {
                    let trained: Vec<bool> =
                        graph.parameters.iter().map(|p| frozen.is_empty() || p.name.as_str() > frozen).collect();
                    let retention = Retention::of(&graph, &trained, recomputation);
                    let mut open: Vec<NodeId> =
                        needed(&graph, &trained).iter().enumerate().filter(|(_, n)| **n).map(|(id, _)| id).collect();
                    while let Some(id) = open.pop() {
                        if !retention.keeps[id] {
                            assert!(can_be_repeated(&graph, id), "{backbone} {recomputation:?} {id}");
                            open.extend(graph.sources(id));
                        }
                    }
                }
            }
        }
    }
}

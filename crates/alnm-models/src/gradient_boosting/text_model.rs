//! LightGBM's text form of a model.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::GradientBoosting;
use super::tree::{Child, MissingSide, Tree, TreeNode};
use crate::error::{ModelError, Result};

/// More leaves than any tree has; guards the allocation for a malformed count.
const MOST_LEAVES: usize = 1 << 20;

fn format_error(reason: String) -> ModelError {
    ModelError::Format { reason }
}

/// `key=value` lines up to the next empty line.
struct Block<'a> {
    fields: BTreeMap<&'a str, &'a str>,
    name: String,
}

impl<'a> Block<'a> {
    fn new(name: String, lines: &[&'a str]) -> Self {
        Self { fields: lines.iter().filter_map(|l| l.split_once('=')).collect(), name }
    }

    fn text(&self, key: &str) -> Result<&'a str> {
        self.fields.get(key).copied().ok_or_else(|| format_error(format!("{} has no {key}", self.name)))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Result<T> {
        let text = self.text(key)?;
        text.parse().map_err(|_| format_error(format!("{} {key}: {text:?} is not a number", self.name)))
    }

    /// Exactly `count` values.
    fn numbers<T: std::str::FromStr>(&self, key: &str, count: usize) -> Result<Vec<T>> {
        let parse =
            |t: &str| t.parse().map_err(|_| format_error(format!("{} {key}: {t:?} is not a number", self.name)));
        let values = self.text(key)?.split_whitespace().map(parse).collect::<Result<Vec<T>>>()?;
        if values.len() == count {
            Ok(values)
        } else {
            Err(format_error(format!("{} {key}: {} values instead of {count}", self.name, values.len())))
        }
    }
}

pub(super) fn read(text: &str) -> Result<GradientBoosting> {
    let lines: Vec<&str> = text.lines().collect();
    if lines.first() != Some(&"tree") {
        return Err(format_error("the first line is not \"tree\"".to_owned()));
    }
    let starts: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].starts_with("Tree=")).collect();
    let end = lines.iter().position(|l| *l == "end of trees").unwrap_or(lines.len());
    let header = Block::new("the header".to_owned(), &lines[..starts.first().copied().unwrap_or(end)]);
    let objective = header.text("objective")?;
    if objective != "binary sigmoid:1" {
        return Err(format_error(format!("objective {objective:?} where \"binary sigmoid:1\" is supported")));
    }
    let feature_names: Vec<String> = header.text("feature_names")?.split_whitespace().map(str::to_owned).collect();
    let trees = starts
        .iter()
        .enumerate()
        .map(|(k, &start)| {
            let stop = starts.get(k + 1).copied().unwrap_or(end).max(start);
            read_tree(&Block::new(format!("tree {k}"), &lines[start..stop]), feature_names.len())
        })
        .collect::<Result<_>>()?;
    Ok(GradientBoosting { feature_names, trees })
}

fn read_tree(block: &Block<'_>, features: usize) -> Result<Tree> {
    let leaves: usize = block.number("num_leaves")?;
    if leaves == 0 || leaves > MOST_LEAVES {
        return Err(format_error(format!("{}: {leaves} leaves", block.name)));
    }
    if block.number::<usize>("num_cat")? != 0 {
        return Err(format_error(format!("{} has categorical splits, which are not supported", block.name)));
    }
    let leaf_value: Vec<f64> = block.numbers("leaf_value", leaves)?;
    let shrinkage = block.number("shrinkage").unwrap_or(1.0);
    if leaves == 1 {
        return Ok(Tree { shrinkage, ..Tree::constant(leaf_value[0]) });
    }
    let splits = leaves - 1;
    let feature: Vec<usize> = block.numbers("split_feature", splits)?;
    let gain: Vec<f32> = block.numbers("split_gain", splits)?;
    let threshold: Vec<f64> = block.numbers("threshold", splits)?;
    let decision: Vec<u8> = block.numbers("decision_type", splits)?;
    let left: Vec<i64> = block.numbers("left_child", splits)?;
    let right: Vec<i64> = block.numbers("right_child", splits)?;
    let value: Vec<f64> = block.numbers("internal_value", splits)?;
    let weight: Vec<f64> = block.numbers("internal_weight", splits)?;
    let count: Vec<usize> = block.numbers("internal_count", splits)?;
    if let Some(bad) = feature.iter().find(|f| **f >= features) {
        return Err(format_error(format!("{} splits feature {bad} of {features}", block.name)));
    }
    // A child must come after its parent, so that every path ends.
    let child = |parent: usize, c: i64| -> Result<Child> {
        let target = if c >= 0 { Child::Node(c as usize) } else { Child::Leaf(-(c + 1) as usize) };
        let valid = match target {
            Child::Node(n) => n > parent && n < splits,
            Child::Leaf(l) => l < leaves,
        };
        if valid { Ok(target) } else { Err(format_error(format!("{}: node {parent} has the child {c}", block.name))) }
    };
    let nodes = (0..splits)
        .map(|i| {
            Ok(TreeNode {
                feature: feature[i],
                threshold: threshold[i],
                missing: missing_side(decision[i])
                    .ok_or_else(|| format_error(format!("{}: decision type {}", block.name, decision[i])))?,
                gain: gain[i],
                left: child(i, left[i])?,
                right: child(i, right[i])?,
                value: value[i],
                weight: weight[i],
                count: count[i],
            })
        })
        .collect::<Result<_>>()?;
    Ok(Tree {
        nodes,
        leaf_value,
        leaf_weight: block.numbers("leaf_weight", leaves)?,
        leaf_rows: block.numbers("leaf_count", leaves)?,
        shrinkage,
    })
}

/// Bit 0: categorical; bit 1: missing values go left; bits 2 and 3: 0 none, 1 zero, 2 NaN.
fn missing_side(decision: u8) -> Option<MissingSide> {
    let left = decision & 2 != 0;
    match (decision & 1, decision >> 2) {
        (0, 0) => Some(MissingSide::AsZero),
        (0, 1) => Some(if left { MissingSide::ZeroLeft } else { MissingSide::ZeroRight }),
        (0, 2) => Some(if left { MissingSide::Left } else { MissingSide::Right }),
        _ => None,
    }
}

fn decision_type(side: MissingSide) -> u8 {
    match side {
        MissingSide::AsZero => 2,
        MissingSide::ZeroLeft => 6,
        MissingSide::ZeroRight => 4,
        MissingSide::Left => 10,
        MissingSide::Right => 8,
    }
}

pub(super) fn write(model: &GradientBoosting) -> String {
    let trees: Vec<String> = model.trees.iter().enumerate().map(|(k, t)| write_tree(k, t)).collect();
    let names = model.feature_names.join(" ");
    let infos = vec!["none"; model.feature_names.len()].join(" ");
    let sizes: Vec<String> = trees.iter().map(|t| t.len().to_string()).collect();
    let mut text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={}\nobjective=binary sigmoid:1\n\
         feature_names={names}\nfeature_infos={infos}\ntree_sizes={}\n\n",
        model.feature_names.len().saturating_sub(1),
        sizes.join(" ")
    );
    trees.iter().for_each(|t| text.push_str(t));
    text.push_str("end of trees\n\npandas_categorical:null\n");
    text
}

/// Six significant digits, with which LightGBM writes gains and inner nodes.
fn six_digits(v: f64) -> String {
    format!("{v:.5e}").parse::<f64>().map_or_else(|_| v.to_string(), |rounded| rounded.to_string())
}

fn write_tree(number: usize, tree: &Tree) -> String {
    let mut text = format!("Tree={number}\nnum_leaves={}\nnum_cat=0\n", tree.leaf_count());
    let mut line = |key: &str, values: Vec<String>| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{key}={}", values.join(" "));
    };
    let of_nodes = |f: &dyn Fn(&TreeNode) -> String| tree.nodes.iter().map(f).collect::<Vec<_>>();
    let child = |c: Child| match c {
        Child::Node(n) => n.to_string(),
        Child::Leaf(l) => (-(l as i64) - 1).to_string(),
    };
    if !tree.nodes.is_empty() {
        line("split_feature", of_nodes(&|n| n.feature.to_string()));
        line("split_gain", of_nodes(&|n| six_digits(f64::from(n.gain))));
        line("threshold", of_nodes(&|n| format!("{:?}", n.threshold)));
        line("decision_type", of_nodes(&|n| decision_type(n.missing).to_string()));
        line("left_child", of_nodes(&|n| child(n.left)));
        line("right_child", of_nodes(&|n| child(n.right)));
    }
    line("leaf_value", tree.leaf_value.iter().map(|v| format!("{v:?}")).collect());
    if !tree.nodes.is_empty() {
        line("leaf_weight", tree.leaf_weight.iter().map(|v| format!("{v:?}")).collect());
        line("leaf_count", tree.leaf_rows.iter().map(ToString::to_string).collect());
        line("internal_value", of_nodes(&|n| six_digits(n.value)));
        line("internal_weight", of_nodes(&|n| six_digits(n.weight)));
        line("internal_count", of_nodes(&|n| n.count.to_string()));
    }
    line("is_linear", vec!["0".to_owned()]);
    line("shrinkage", vec![tree.shrinkage.to_string()]);
    text.push_str("\n\n");
    text
}

//! LightGBM's text form of a model.
//!
//! A text that this library wrote has a line `alnm_sha256=…` behind the trees, which LightGBM ignores: the SHA-256 of
//! all other lines. A text with the line is refused when another line was changed; a text without it, as LightGBM
//! writes it, is checked for its structure alone.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::ensemble::GradientBoosting;
use super::tree::{Child, MissingSide, Tree, TreeNode};
use crate::error::{ModelError, Result};
use crate::invariants::{Checked, require};

/// More leaves than any tree has; guards the allocation for a malformed count.
const MOST_LEAVES: usize = 1 << 20;

/// The line that holds the hash begins with this.
const HASH: &str = "alnm_sha256=";

/// Every key that LightGBM writes before the trees. A further one may change what the trees mean.
const HEADER_KEYS: [&str; 10] = [
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "feature_names",
    "monotone_constraints",
    "feature_infos",
    "tree_sizes",
];

/// Every key that LightGBM writes in a tree without categorical splits and linear leaves.
const TREE_KEYS: [&str; 17] = [
    "Tree",
    "num_leaves",
    "num_cat",
    "split_feature",
    "split_gain",
    "threshold",
    "decision_type",
    "left_child",
    "right_child",
    "leaf_value",
    "leaf_weight",
    "leaf_count",
    "internal_value",
    "internal_weight",
    "internal_count",
    "is_linear",
    "shrinkage",
];

impl GradientBoosting {
    /// Reads LightGBM's text model of a binary objective, written by this library or by LightGBM.
    ///
    /// The text is checked in full: class, objective and version are supported, feature names are unique, the sizes of
    /// the trees are those that the header states, every tree is one, and numbers are finite. A text that this library
    /// wrote carries a SHA-256 besides and is refused after any change.
    ///
    /// # Errors
    /// [`ModelError::Format`] says what is missing, malformed, changed or not supported.
    pub fn from_lightgbm_text(text: &str) -> Result<Self> {
        read(text).map_err(|reason| ModelError::Format { reason })
    }

    /// Writes LightGBM's text model, which LightGBM reads. Gains and the values of inner splits have six digits, as
    /// LightGBM writes them; thresholds and leaf values are exact.
    ///
    /// # Errors
    /// [`ModelError::Format`] for a feature name that is empty or holds white space, which separates names in the text.
    ///
    /// ```
    /// use alnm_models::gradient_boosting::{BoostingParams, GradientBoosting};
    /// use alnm_models::{FeatureTable, Labels};
    /// use ndarray::Array2;
    /// let table = FeatureTable::new(vec!["x".into()], Array2::from_shape_fn((60, 1), |(i, _)| i as f64))?;
    /// let labels = Labels::new((0..60).map(|i| i >= 30).collect());
    /// let model = GradientBoosting::fit(&table, &labels, &BoostingParams::default().with_rounds(10))?;
    /// let text = model.to_lightgbm_text()?;
    /// let read = GradientBoosting::from_lightgbm_text(&text)?;
    /// assert_eq!(read.predict(&table)?, model.predict(&table)?);
    /// // A text that was edited is refused.
    /// assert!(GradientBoosting::from_lightgbm_text(&text.replace("threshold=2", "threshold=3")).is_err());
    /// # Ok::<(), alnm_models::ModelError>(())
    /// ```
    pub fn to_lightgbm_text(&self) -> Result<String> {
        write(self).map_err(|reason| ModelError::Format { reason })
    }
}

/// The hash of all lines but the one that states it.
fn hash<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for line in lines.filter(|line| !line.starts_with(HASH)) {
        hasher.update(line);
        hasher.update("\n");
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lines `key=value`.
struct Block<'a> {
    fields: BTreeMap<&'a str, &'a str>,
    name: String,
}

impl<'a> Block<'a> {
    fn new(name: String, lines: &[&'a str], keys: &[&str]) -> Checked<Self> {
        let mut fields = BTreeMap::new();
        for line in lines.iter().filter(|line| !line.is_empty()) {
            let Some((key, value)) = line.split_once('=').filter(|(key, _)| keys.contains(key)) else {
                return Err(format!("{name} holds the line {:?}, which is not supported", shortened(line)));
            };
            require(fields.insert(key, value).is_none(), || format!("{name} has {key} twice; it must have it once"))?;
        }
        Ok(Self { fields, name })
    }

    fn text(&self, key: &str) -> Checked<&'a str> {
        self.fields.get(key).copied().ok_or_else(|| format!("{} has no {key}", self.name))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Checked<T> {
        let text = self.text(key)?;
        text.parse().map_err(|_| format!("{key} of {} is {:?}; it must be a number", self.name, shortened(text)))
    }

    /// Exactly `count` values.
    fn numbers<T: std::str::FromStr>(&self, key: &str, count: usize) -> Checked<Vec<T>> {
        let parse = |t: &str| {
            let malformed = || format!("{key} of {} holds {:?}; it must hold numbers", self.name, shortened(t));
            t.parse().map_err(|_| malformed())
        };
        let values = self.text(key)?.split_whitespace().map(parse).collect::<Checked<Vec<T>>>()?;
        require(values.len() == count, || {
            format!("{key} of {} holds {} numbers; it must hold {count}", self.name, values.len())
        })?;
        Ok(values)
    }

    /// Refuses another value than the one that is supported.
    fn must_be(&self, key: &str, supported: &[&str]) -> Checked {
        let value = self.text(key)?;
        require(supported.contains(&value), || {
            format!("{key} of {} is {:?}; it must be {}", self.name, shortened(value), supported.join(" or "))
        })
    }
}

/// The beginning of a text, for a message.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST { text.to_owned() } else { text.chars().take(LONGEST).chain(['…']).collect() }
}

fn read(text: &str) -> Checked<GradientBoosting> {
    let lines: Vec<&str> = text.lines().collect();
    require(lines.first() == Some(&"tree"), || "the first line is not \"tree\"; it is no text model".to_owned())?;
    let stated: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(HASH)).collect();
    match stated[..] {
        [] => {}
        [stated] => {
            let computed = hash(lines.iter().copied());
            require(stated == computed, || {
                format!(
                    "the SHA-256 in the text is {:?} and that of its content {computed:?}; the text was damaged or \
                     edited after it was saved, so save the model again",
                    shortened(stated)
                )
            })?;
        }
        _ => return Err(format!("it has {} lines {HASH}; it must have one", stated.len())),
    }
    let end = lines.iter().position(|line| *line == "end of trees");
    let end = end.ok_or("it has no line \"end of trees\"; its end is missing")?;
    let starts: Vec<usize> = (0..end).filter(|&i| lines[i].starts_with("Tree=")).collect();
    let header_end = starts.first().copied().unwrap_or(end);
    let header = Block::new("the header".to_owned(), &lines[1..header_end], &HEADER_KEYS)?;
    header.must_be("version", &["v3", "v4"])?;
    header.must_be("num_class", &["1"])?;
    header.must_be("num_tree_per_iteration", &["1"])?;
    header.must_be("objective", &["binary sigmoid:1"])?;
    let feature_names: Vec<String> = header.text("feature_names")?.split_whitespace().map(str::to_owned).collect();
    let largest: usize = header.number("max_feature_idx")?;
    require(largest.checked_add(1) == Some(feature_names.len()), || {
        format!("max_feature_idx is {largest} for {} feature names; it must be one less", feature_names.len())
    })?;
    let sizes: Vec<usize> = header.numbers("tree_sizes", starts.len())?;
    let trees = starts
        .iter()
        .zip(sizes)
        .enumerate()
        .map(|(k, (&start, stated))| {
            let stop = starts.get(k + 1).copied().unwrap_or(end);
            let lines = &lines[start..stop];
            let size: usize = lines.iter().map(|line| line.len() + 1).sum();
            require(size == stated, || {
                format!("tree {k} is {size} bytes long; tree_sizes states {stated}, so the text was damaged or edited")
            })?;
            read_tree(&Block::new(format!("tree {k}"), lines, &TREE_KEYS)?, k)
        })
        .collect::<Checked<_>>()?;
    GradientBoosting::read(feature_names, trees)
}

fn read_tree(block: &Block<'_>, number: usize) -> Checked<Tree> {
    block.must_be("Tree", &[&number.to_string()])?;
    block.must_be("num_cat", &["0"])?;
    if block.fields.contains_key("is_linear") {
        block.must_be("is_linear", &["0"])?;
    }
    let leaves: usize = block.number("num_leaves")?;
    require((1..=MOST_LEAVES).contains(&leaves), || {
        format!("num_leaves of {} is {leaves}; it must be 1 to {MOST_LEAVES}", block.name)
    })?;
    let leaf_value: Vec<f64> = block.numbers("leaf_value", leaves)?;
    let shrinkage = block.number("shrinkage")?;
    if leaves == 1 {
        return Ok(Tree::constant(leaf_value[0]).with_shrinkage(shrinkage));
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
    let child = |c: i64| if c >= 0 { Child::Node(c as usize) } else { Child::Leaf(-(c + 1) as usize) };
    let nodes = (0..splits)
        .map(|i| {
            let missing = missing_side(decision[i]).ok_or_else(|| {
                format!("decision_type {} of {} is not supported: it is of a category", decision[i], block.name)
            })?;
            Ok(TreeNode {
                feature: feature[i],
                threshold: threshold[i],
                missing,
                gain: gain[i],
                left: child(left[i]),
                right: child(right[i]),
                value: value[i],
                weight: weight[i],
                count: count[i],
            })
        })
        .collect::<Checked<_>>()?;
    let leaf_weight = block.numbers("leaf_weight", leaves)?;
    Ok(Tree::grown(nodes, leaf_value, leaf_weight, block.numbers("leaf_count", leaves)?).with_shrinkage(shrinkage))
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

fn write(model: &GradientBoosting) -> Checked<String> {
    let unfit = |name: &&String| name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control());
    if let Some(name) = model.feature_names().iter().find(unfit) {
        let reason = "LightGBM's text separates names by spaces, so rename the column";
        return Err(format!("the feature name {name:?} is empty or holds white space; {reason}"));
    }
    let trees: Vec<String> = model.trees().iter().enumerate().map(|(k, t)| write_tree(k, t)).collect();
    let names = model.feature_names().join(" ");
    let infos = vec!["none"; model.feature_names().len()].join(" ");
    let sizes: Vec<String> = trees.iter().map(|t| t.len().to_string()).collect();
    let mut text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={}\n\
         objective=binary sigmoid:1\nfeature_names={names}\nfeature_infos={infos}\ntree_sizes={}\n\n",
        model.feature_names().len().saturating_sub(1),
        sizes.join(" ")
    );
    trees.iter().for_each(|t| text.push_str(t));
    text.push_str("end of trees\n\n");
    // LightGBM's Python package looks for the last line.
    let last = "\npandas_categorical:null\n";
    let hash = hash(text.lines().chain(last.lines()));
    Ok(format!("{text}{HASH}{hash}\n{last}"))
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
    let of_nodes = |f: &dyn Fn(&TreeNode) -> String| tree.nodes().iter().map(f).collect::<Vec<_>>();
    let child = |c: Child| match c {
        Child::Node(n) => n.to_string(),
        Child::Leaf(l) => (-(l as i64) - 1).to_string(),
    };
    if !tree.nodes().is_empty() {
        line("split_feature", of_nodes(&|n| n.feature.to_string()));
        line("split_gain", of_nodes(&|n| six_digits(f64::from(n.gain))));
        line("threshold", of_nodes(&|n| format!("{:?}", n.threshold)));
        line("decision_type", of_nodes(&|n| decision_type(n.missing).to_string()));
        line("left_child", of_nodes(&|n| child(n.left)));
        line("right_child", of_nodes(&|n| child(n.right)));
    }
    line("leaf_value", tree.leaf_values().iter().map(|v| format!("{v:?}")).collect());
    if !tree.nodes().is_empty() {
        line("leaf_weight", tree.leaf_weights().iter().map(|v| format!("{v:?}")).collect());
        line("leaf_count", tree.leaf_rows().iter().map(ToString::to_string).collect());
        line("internal_value", of_nodes(&|n| six_digits(n.value)));
        line("internal_weight", of_nodes(&|n| six_digits(n.weight)));
        line("internal_count", of_nodes(&|n| n.count.to_string()));
    }
    line("is_linear", vec!["0".to_owned()]);
    line("shrinkage", vec![tree.shrinkage().to_string()]);
    text.push_str("\n\n");
    text
}

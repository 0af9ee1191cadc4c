//! The machine that reads a pickle of tensors and nothing else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Containers within containers.
const MAXIMUM_DEPTH: usize = 32;

/// Why a file is refused.
pub(super) type Reason = String;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Half,
    BFloat16,
    Single,
    Double,
    /// Integers and truth values, which weights are not.
    Other,
}

#[derive(Debug, Clone)]
pub(super) struct Storage {
    pub(super) number: Number,
    pub(super) key: String,
    pub(super) count: usize,
}

/// Where a tensor's numbers stand in their storage.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) storage: Storage,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// The names that a dictionary of tensors needs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Name {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    Storage(Number),
}

impl Name {
    fn of(module: &str, name: &str) -> Result<Self, Reason> {
        Ok(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "FloatStorage") => Self::Storage(Number::Single),
            ("torch", "DoubleStorage") => Self::Storage(Number::Double),
            ("torch", "HalfStorage") => Self::Storage(Number::Half),
            ("torch", "BFloat16Storage") => Self::Storage(Number::BFloat16),
            (
                "torch",
                "LongStorage" | "IntStorage" | "ShortStorage" | "CharStorage" | "ByteStorage" | "BoolStorage",
            ) => Self::Storage(Number::Other),
            (module, _) if module.split('.').next() == Some("numpy") => {
                return Err(
                    "its pickle holds arrays of numpy; tensors are read, which torch.from_numpy makes of them and \
                            torch.save writes"
                        .to_owned(),
                );
            }
            _ => {
                return Err(format!(
                    "its pickle asks for `{module}.{name}`; only dictionaries of tensors are read, and nothing was run"
                ));
            }
        })
    }
}

/// A value on the stack. Containers are shared, so that a copy costs nothing however often a pickle asks for it.
#[derive(Debug, Clone)]
enum Value {
    Mark,
    /// A truth value, a floating-point number or none: nothing that tensors are made of.
    Unused,
    Integer(i64),
    Text(Rc<str>),
    Name(Name),
    Tuple(Rc<Vec<Value>>, usize),
    List(Rc<RefCell<Nested<Value>>>),
    Dictionary(Rc<RefCell<Nested<(Value, Value)>>>),
    Storage(Rc<Storage>),
    Tensor(Rc<Place>),
}

/// Items and the depth to which containers lie in them.
#[derive(Debug)]
struct Nested<T> {
    items: Vec<T>,
    depth: usize,
}

impl<T> Nested<T> {
    fn new() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self { items: Vec::new(), depth: 1 }))
    }

    fn push(&mut self, item: T, depth: usize) -> Result<(), Reason> {
        self.depth = self.depth.max(checked_depth(depth)?);
        self.items.push(item);
        Ok(())
    }
}

/// The depth of a container around values of this depth.
fn checked_depth(inside: usize) -> Result<usize, Reason> {
    if inside >= MAXIMUM_DEPTH { Err("its pickle is nested too deeply".to_owned()) } else { Ok(inside + 1) }
}

impl Value {
    fn tuple(items: Vec<Self>) -> Result<Self, Reason> {
        let depth = checked_depth(items.iter().map(Self::depth).max().unwrap_or(0))?;
        Ok(Self::Tuple(Rc::new(items), depth))
    }

    fn depth(&self) -> usize {
        match self {
            Self::Tuple(_, depth) => *depth,
            Self::List(list) => list.borrow().depth,
            Self::Dictionary(dictionary) => dictionary.borrow().depth,
            _ => 0,
        }
    }

    fn size(&self) -> Option<usize> {
        if let Self::Integer(value) = self { usize::try_from(*value).ok() } else { None }
    }

    fn sizes(&self) -> Option<Vec<usize>> {
        if let Self::Tuple(items, _) = self { items.iter().map(Self::size).collect() } else { None }
    }
}

/// The names under which training programs keep the dictionary of tensors beside others, such as the optimiser's:
/// PyTorch's own examples and Lightning, torchvision's references, MONAI, nnU-Net.
const CONTAINERS: [&str; 4] = ["state_dict", "model", "model_state_dict", "network_weights"];

/// Where the tensors of a pickle's dictionary stand, or those of the dictionary that it holds under one of the names
/// [`CONTAINERS`].
pub(super) fn places(pickle: &[u8]) -> Result<Vec<(String, Place)>, Reason> {
    let Value::Dictionary(dictionary) = Machine::new(pickle).run()? else {
        return Err("its pickle holds no dictionary".to_owned());
    };
    let inner = dictionary.borrow().items.iter().find_map(|(key, value)| match (key, value) {
        (Value::Text(key), Value::Dictionary(inner)) if CONTAINERS.contains(&&**key) => Some(Rc::clone(inner)),
        _ => None,
    });
    let dictionary = inner.unwrap_or(dictionary);
    let mut places = Vec::new();
    for (key, value) in &dictionary.borrow().items {
        let Value::Text(name) = key else {
            return Err("a tensor's name is no text".to_owned());
        };
        let Value::Tensor(place) = value else {
            return Err(format!(
                "`{name}` is no tensor; a dictionary of tensors is read, alone or as {}: save it so with torch.save",
                CONTAINERS.map(|name| format!("`{name}`")).join(", ")
            ));
        };
        if !name.ends_with("num_batches_tracked") {
            places.push((name.to_string(), Place::clone(place)));
        }
    }
    Ok(places)
}

/// The stack machine.
struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value>,
    memory: HashMap<u32, Value>,
}

impl<'a> Machine<'a> {
    fn new(pickle: &'a [u8]) -> Self {
        Self { rest: pickle, stack: Vec::new(), memory: HashMap::new() }
    }

    fn run(mut self) -> Result<Value, Reason> {
        loop {
            match self.byte()? {
                b'.' => return self.pop(),
                operation => self.operate(operation)?,
            }
        }
    }

    fn operate(&mut self, operation: u8) -> Result<(), Reason> {
        match operation {
            // PROTO
            0x80 => {
                let version = self.byte()?;
                if version != 2 {
                    return Err(format!("its pickle is of protocol {version}; PyTorch writes protocol 2"));
                }
            }
            // GLOBAL
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.stack.push(Value::Name(Name::of(&module, &name)?));
            }
            // BINPUT, LONG_BINPUT
            b'q' | b'r' => {
                let place = self.place(operation == b'r')?;
                let top = self.stack.last().ok_or("its pickle keeps what is not there")?;
                self.memory.insert(place, top.clone());
            }
            // BINGET, LONG_BINGET
            b'h' | b'j' => {
                let place = self.place(operation == b'j')?;
                self.stack.push(self.memory.get(&place).ok_or("its pickle refers to what was not kept")?.clone());
            }
            // MARK, NONE, NEWTRUE, NEWFALSE
            b'(' => self.stack.push(Value::Mark),
            b'N' | 0x88 | 0x89 => self.stack.push(Value::Unused),
            // BINFLOAT
            b'G' => {
                self.bytes(8)?;
                self.stack.push(Value::Unused);
            }
            // BININT, BININT1, BININT2, LONG1
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.stack.push(Value::Integer(value.into()));
            }
            b'K' => {
                let value = self.byte()?;
                self.stack.push(Value::Integer(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.stack.push(Value::Integer(value.into()));
            }
            0x8a => self.long()?,
            // BINUNICODE
            b'X' => {
                let size = u32::from_le_bytes(self.array()?) as usize;
                let text =
                    std::str::from_utf8(self.bytes(size)?).map_err(|_| "its pickle holds text that is not UTF-8")?;
                self.stack.push(Value::Text(text.into()));
            }
            // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
            b')' => self.push_tuple(Vec::new())?,
            0x85..=0x87 => {
                let mut items = (0..operation - 0x84).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
                items.reverse();
                self.push_tuple(items)?;
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push_tuple(items)?;
            }
            // EMPTY_LIST, APPEND, APPENDS
            b']' => self.stack.push(Value::List(Nested::new())),
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            // EMPTY_DICT, SETITEM, SETITEMS
            b'}' => self.stack.push(Value::Dictionary(Nested::new())),
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set(items)?;
            }
            // BINPERSID, REDUCE
            b'Q' => self.storage()?,
            b'R' => self.make()?,
            // BUILD: attributes of a dictionary, which PyTorch keeps its versions in.
            b'b' => {
                let (attributes, object) = (self.pop()?, self.stack.last());
                if !matches!((&attributes, object), (Value::Dictionary(_), Some(Value::Dictionary(_)))) {
                    return Err(
                        "its pickle sets attributes of something else than a dictionary; nothing was run".to_owned()
                    );
                }
            }
            other => {
                return Err(format!(
                    "its pickle uses operation {other:#04x}, which dictionaries of tensors do not need"
                ));
            }
        }
        Ok(())
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Reason> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or("its pickle is cut off")?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8, Reason> {
        Ok(self.bytes(1)?[0])
    }

    fn line(&mut self) -> Result<String, Reason> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or("its pickle is cut off")?;
        let line = String::from_utf8_lossy(self.bytes(end)?).into_owned();
        self.byte()?;
        Ok(line)
    }

    fn place(&mut self, is_long: bool) -> Result<u32, Reason> {
        if is_long { Ok(u32::from_le_bytes(self.array()?)) } else { Ok(self.byte()?.into()) }
    }

    /// An integer of up to eight bytes in two's complement.
    fn long(&mut self) -> Result<(), Reason> {
        let count = self.byte()?.into();
        let bytes = self.bytes(count)?;
        let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
        let mut all = [sign; 8];
        all.get_mut(..bytes.len()).ok_or("its pickle holds an integer of more than 64 bits")?.copy_from_slice(bytes);
        self.stack.push(Value::Integer(i64::from_le_bytes(all)));
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, Reason> {
        self.stack.pop().ok_or_else(|| "its pickle takes what is not there".to_owned())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, Reason> {
        let mark =
            self.stack.iter().rposition(|value| matches!(value, Value::Mark)).ok_or("its pickle lacks a mark")?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn push_tuple(&mut self, items: Vec<Value>) -> Result<(), Reason> {
        self.stack.push(Value::tuple(items)?);
        Ok(())
    }

    fn append(&mut self, items: Vec<Value>) -> Result<(), Reason> {
        let Some(Value::List(list)) = self.stack.last() else {
            return Err("its pickle appends to something else than a list".to_owned());
        };
        for item in items {
            let depth = item.depth();
            list.borrow_mut().push(item, depth)?;
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Value>) -> Result<(), Reason> {
        let (Some(Value::Dictionary(dictionary)), true) = (self.stack.last(), items.len().is_multiple_of(2)) else {
            return Err("its pickle sets items of something else than a dictionary".to_owned());
        };
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let depth = key.depth().max(value.depth());
            dictionary.borrow_mut().push((key, value), depth)?;
        }
        Ok(())
    }

    /// `('storage', type, key, device, count)` on the stack becomes a storage.
    fn storage(&mut self) -> Result<(), Reason> {
        let identifier = self.pop()?;
        let storage = match &identifier {
            Value::Tuple(items, _) => match items.as_slice() {
                [Value::Text(kind), Value::Name(Name::Storage(number)), Value::Text(key), _, count]
                    if &**kind == "storage" =>
                {
                    count.size().map(|count| Storage { number: *number, key: key.to_string(), count })
                }
                _ => None,
            },
            _ => None,
        };
        self.stack.push(Value::Storage(Rc::new(storage.ok_or("its pickle refers to something else than a storage")?)));
        Ok(())
    }

    /// What a known name makes of its arguments.
    fn make(&mut self) -> Result<(), Reason> {
        let (arguments, name) = (self.pop()?, self.pop()?);
        let (Value::Tuple(arguments, _), Value::Name(name)) = (&arguments, &name) else {
            return Err("its pickle calls something without a name; nothing was run".to_owned());
        };
        let made = match (name, arguments.as_slice()) {
            (Name::OrderedDict, []) => Some(Value::Dictionary(Nested::new())),
            (Name::RebuildParameter, [tensor @ Value::Tensor(_), ..]) => Some(tensor.clone()),
            (Name::RebuildTensor, [Value::Storage(storage), offset, shape, strides, ..]) => {
                let sizes = (offset.size(), shape.sizes(), strides.sizes());
                let (Some(offset), Some(shape), Some(strides)) = sizes else {
                    return Err("a tensor's shape is no tuple of sizes".to_owned());
                };
                let place = Place { storage: Storage::clone(storage), offset, shape, strides };
                (place.shape.len() == place.strides.len()).then(|| Value::Tensor(Rc::new(place)))
            }
            _ => None,
        };
        self.stack
            .push(made.ok_or_else(|| format!("its pickle calls {name:?} with other arguments than PyTorch does"))?);
        Ok(())
    }
}

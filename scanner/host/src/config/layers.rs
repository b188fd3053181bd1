//! Files, environment and command line laid over one another, each value remembering where it was said.
//!
//! Sections merge key by key, lanes merge by their `id`, every other value is replaced by the later layer.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use toml::de::{DeTable, DeValue};

use super::{
    Config, ConfigError, Origin,
    node::{Node, Value},
};

/// A configuration file larger than this is none: it is read before anything else runs, and must not exhaust memory.
const MAX_FILE: u64 = 1 << 20;

/// What begins an environment variable that is a setting: `CHECKPOINTD_CHECKPOINT__RELYING=420000`.
const PREFIX: &str = "CHECKPOINTD_";

/// Single assignments that outrank every file.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// In ascending rank: path, value as text, where it was said.
    assignments: Vec<(Vec<String>, String, Origin)>,
    command_line: Vec<(Vec<String>, String, Origin)>,
}

/// What the command line sets: `checkpoint.relying=420000`, or for a lane of the name `lane.east-1.rearm=1s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    path: Vec<String>,
    value: String,
    text: Arc<str>,
}

impl FromStr for Assignment {
    type Err = NotAnAssignment;

    fn from_str(text: &str) -> Result<Assignment, NotAnAssignment> {
        let (path, value) =
            text.split_once('=').filter(|(path, _)| path.trim().split('.').count() > 1).ok_or(NotAnAssignment)?;
        let path = path.trim().split('.').map(str::to_owned).collect();
        Ok(Assignment { path, value: value.trim().to_owned(), text: text.into() })
    }
}

/// It names no key of a section, or no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnAssignment;

impl fmt::Display for NotAnAssignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an assignment is written such as checkpoint.relying=420000 or lane.east-1.rearm=1s")
    }
}

impl std::error::Error for NotAnAssignment {}

impl Overlay {
    /// Takes the variables that are settings: `CHECKPOINTD_`, then section and key joined by two underscores.
    ///
    /// A lane is named by its id, `-` written `_`: `CHECKPOINTD_LANE__EAST_1__REARM=1s`.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Overlay {
        for (name, value) in variables {
            let Some(path) = name.strip_prefix(PREFIX).filter(|path| path.contains("__")) else { continue };
            let path = path.to_ascii_lowercase().split("__").map(str::to_owned).collect();
            self.assignments.push((path, value, Origin::Environment(name.into())));
        }
        self
    }

    /// Takes what the command line sets.
    #[must_use]
    pub fn set(mut self, assignments: &[Assignment]) -> Overlay {
        for Assignment { path, value, text } in assignments {
            self.command_line.push((path.clone(), value.clone(), Origin::CommandLine(text.clone())));
        }
        self
    }
}

/// The layers read so far.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    root: BTreeMap<String, Node>,
}

impl Layers {
    /// Lays a file over what was read before.
    pub fn read_file(&mut self, file: &Path, must_exist: bool) -> Result<(), ConfigError> {
        let unreadable = |cause| ConfigError::Unreadable { file: file.to_owned(), cause };
        match fs::metadata(file) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(()),
            Err(cause) => return Err(unreadable(cause)),
            Ok(about) if about.len() > MAX_FILE => return Err(unreadable(io::ErrorKind::FileTooLarge.into())),
            Ok(_) => {}
        }
        let text = fs::read_to_string(file).map_err(unreadable)?;
        self.add_text(&text, &file.display().to_string())
    }

    /// Lays every `*.toml` of a folder over what was read before, in the order of their names.
    pub fn read_folder(&mut self, folder: &Path) -> Result<(), ConfigError> {
        let unreadable = |cause| ConfigError::Unreadable { file: folder.to_owned(), cause };
        let entries = match fs::read_dir(folder) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(unreadable)?,
        };
        let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
        let mut paths = paths.map_err(unreadable)?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        paths.iter().try_for_each(|path| self.read_file(path, true))
    }

    /// Lays a text over what was read before, as though `file` held it.
    pub fn add_text(&mut self, text: &str, file: &str) -> Result<(), ConfigError> {
        let file: Arc<str> = file.into();
        let line = |at: usize| 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count();
        let origin = |at: usize| Origin::File { file: file.clone(), line: line(at) };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            origin: origin(error.span().map_or(0, |span| span.start)),
            says: error.message().to_owned(),
        })?;
        let table = nodes(table.get_ref(), &origin);
        merge(&mut self.root, table);
        Ok(())
    }

    /// Lays the environment, then the command line, over the files.
    pub fn with(mut self, overlay: &Overlay) -> Result<Layers, ConfigError> {
        for (path, value, origin) in overlay.assignments.iter().chain(&overlay.command_line) {
            self.assign(path, value, origin);
        }
        Ok(self)
    }

    /// What was said so far under a key of a section.
    pub fn text(&self, section: &str, key: &str) -> Option<&str> {
        self.root.get(section)?.child(key)?.text()
    }

    /// Gives the lane `was` another id, if there is one.
    pub fn rename_lane(&mut self, was: &str, id: &str) {
        let Some(Node { value: Value::List(lanes), .. }) = self.root.get_mut("lane") else { return };
        for lane in lanes {
            let Value::Table(table) = &mut lane.value else { continue };
            if let Some(name) = table.get_mut("id").filter(|name| name.text() == Some(was)) {
                name.value = Value::Text(id.to_owned());
            }
        }
    }

    fn assign(&mut self, path: &[String], value: &str, origin: &Origin) {
        let leaf = Node { value: Value::Untyped(value.to_owned()), origin: origin.clone() };
        let nest = |path: &[String], leaf: Node| {
            path.iter().rev().fold(leaf, |inner, key| Node {
                value: Value::Table(BTreeMap::from([(key.clone(), inner)])),
                origin: origin.clone(),
            })
        };
        let node = match path {
            [lane, id, rest @ ..] if lane == "lane" && !rest.is_empty() => {
                let id = self.lane_id(id);
                let mut node = nest(rest, leaf);
                if let Value::Table(table) = &mut node.value {
                    table.insert("id".to_owned(), Node { value: Value::Text(id), origin: origin.clone() });
                }
                Node { value: Value::List(vec![node]), origin: origin.clone() }
            }
            [_, rest @ ..] => nest(rest, leaf),
            [] => return,
        };
        merge(&mut self.root, BTreeMap::from([(path[0].clone(), node)]));
    }

    /// The id of the lane already there that `name` stands for, which in the environment cannot be written exactly.
    fn lane_id(&self, name: &str) -> String {
        let plain = |id: &str| id.to_ascii_lowercase().replace('-', "_");
        let Some(Node { value: Value::List(lanes), .. }) = self.root.get("lane") else { return name.to_owned() };
        let ids = lanes.iter().filter_map(|lane| lane.child("id")?.text());
        ids.into_iter().find(|id| plain(id) == plain(name)).unwrap_or(name).to_owned()
    }

    /// The configuration that these layers make.
    pub fn finish(self) -> Result<Config, ConfigError> {
        let root =
            Node { value: Value::Table(self.root), origin: Origin::File { file: "configuration".into(), line: 1 } };
        let mut problems = Vec::new();
        let config = Config::read_root(&root, &mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError::Invalid(problems)),
        }
    }
}

fn nodes(table: &DeTable<'_>, origin: &dyn Fn(usize) -> Origin) -> BTreeMap<String, Node> {
    table
        .iter()
        .map(|(key, value)| {
            let value = value_of(value.get_ref(), origin);
            (key.get_ref().to_string(), Node { value, origin: origin(key.span().start) })
        })
        .collect()
}

fn value_of(value: &DeValue<'_>, origin: &dyn Fn(usize) -> Origin) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Text(number.as_str().to_owned()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::Text(number.as_str().to_owned()), Value::Float)
        }
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(list) => Value::List(
            list.iter()
                .map(|value| Node { value: value_of(value.get_ref(), origin), origin: origin(value.span().start) })
                .collect(),
        ),
        DeValue::Table(table) => Value::Table(nodes(table, origin)),
    }
}

fn merge(base: &mut BTreeMap<String, Node>, over: BTreeMap<String, Node>) {
    for (key, node) in over {
        match base.get_mut(&key) {
            Some(Node { value: Value::List(lanes), .. }) if key == "lane" => match node.value {
                Value::List(more) => merge_lanes(lanes, more),
                _ => {
                    base.insert(key, node);
                }
            },
            Some(Node { value: Value::Table(table), .. }) => match node.value {
                Value::Table(more) => merge(table, more),
                _ => {
                    base.insert(key, node);
                }
            },
            _ => {
                base.insert(key, node);
            }
        }
    }
}

fn merge_lanes(lanes: &mut Vec<Node>, more: Vec<Node>) {
    // Lanes of one layer that share an id are a mistake to be told, not merged: only earlier layers are looked at.
    let earlier = lanes.len();
    for lane in more {
        let id = lane.child("id").and_then(Node::text).map(str::to_owned);
        let same = lanes[..earlier]
            .iter_mut()
            .find(|known| id.is_some() && known.child("id").and_then(Node::text) == id.as_deref());
        match (same, lane.value) {
            (Some(Node { value: Value::Table(known), .. }), Value::Table(table)) => merge(known, table),
            (_, value) => lanes.push(Node { value, origin: lane.origin }),
        }
    }
}

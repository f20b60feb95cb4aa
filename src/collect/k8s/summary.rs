//! The kubelet's summary, walked over once where it lies: of 2 MB some hundred numbers are wanted.
//!
//! ```json
//! {"node": {"nodeName": "nano", "cpu": {"usageNanoCores": 707151279}, "fs": {"inodesFree": 1600584}},
//!  "pods": [{"podRef": {"name": "coredns-8btq7", "namespace": "kube-system"},
//!            "memory": {"rssBytes": 9383936, "usageBytes": 48947200}}]}
//! ```
//!
//! A metric's name is the way to its value: `Chouette.k8s.pod.memory.rssBytes` is the member `rssBytes` of the
//! member `memory` of a pod. Containers, volumes and single network interfaces are passed over.

use super::{Groups, METRICS, NODE, POD, RUNNING};
use crate::collect::{CollectError, Gauge, MetricDoc};
use crate::limits::k8s::{NAME_CHARS_MAX, PODS_MAX};
use crate::metric::json::{JsonError, Kind, Reader};
use crate::metric::{Number, Tags};

/// What is to be read.
#[derive(Debug)]
pub(super) struct Summary {
    pods: Vec<Field>,
    node: Vec<Field>,
    /// The values of one pod or node, in the order of the fields.
    values: Vec<Option<Number>>,
}

/// One wanted number.
#[derive(Debug)]
struct Field {
    metric: &'static str,
    section: &'static str,
    key: &'static str,
}

/// What tells one node or pod from the others.
#[derive(Debug, Default)]
struct Names {
    node: Option<String>,
    pod: Option<String>,
    namespace: Option<String>,
}

impl Summary {
    pub fn new(groups: &Groups) -> Summary {
        let fields = |prefix: &str| {
            let field = |metric: &'static MetricDoc| {
                let (section, key) = metric.name.strip_prefix(prefix)?.split_once('.')?;
                groups.contains(prefix, metric.group).then_some(Field { metric: metric.name, section, key })
            };
            METRICS.iter().filter_map(field).collect()
        };
        Summary { pods: fields(POD), node: fields(NODE), values: Vec::new() }
    }

    /// Appends what the document says. What comes before a fault in it counts.
    pub fn read(
        &mut self,
        body: &[u8],
        out: &mut Vec<Gauge>,
        error: &mut CollectError,
    ) -> Result<(), JsonError> {
        let mut reader = Reader::from_bytes(body)?;
        reader.enter_object()?;
        while let Some(key) = reader.next_key()? {
            match key.as_ref() {
                "node" => self.node(&mut reader, out, error)?,
                "pods" => self.pods(&mut reader, out, error)?,
                _ => reader.skip()?,
            }
        }
        reader.end()
    }

    fn node(
        &mut self,
        reader: &mut Reader<'_>,
        out: &mut Vec<Gauge>,
        error: &mut CollectError,
    ) -> Result<(), JsonError> {
        if !reader.enter_object_or_skip()? {
            return Ok(());
        }
        let names = read_entry(reader, &self.node, &mut self.values)?;
        match names.node {
            Some(name) => push(&self.node, &self.values, &[format!("node_name:{name}")], out),
            None if self.node.is_empty() => {}
            None => error.add("node", "it has no name"),
        }
        Ok(())
    }

    fn pods(
        &mut self,
        reader: &mut Reader<'_>,
        out: &mut Vec<Gauge>,
        error: &mut CollectError,
    ) -> Result<(), JsonError> {
        // Go writes a list that was never filled as null.
        let is_null = reader.kind()? == Kind::Null;
        let is_list = reader.enter_list_or_skip()?;
        if !is_list && !is_null {
            error.add("pods", "they are no list");
            return Ok(());
        }
        let (mut count, mut nameless) = (0, 0);
        while is_list && reader.next_element()? {
            count += 1;
            if self.pods.is_empty() || count > PODS_MAX {
                reader.skip()?;
                continue;
            }
            let names = match reader.enter_object_or_skip()? {
                true => read_entry(reader, &self.pods, &mut self.values)?,
                false => Names::default(),
            };
            match (names.namespace, names.pod) {
                (Some(namespace), Some(pod)) => {
                    let tags = [format!("namespace:{namespace}"), format!("pod_name:{pod}")];
                    push(&self.pods, &self.values, &tags, out);
                }
                _ => nameless += 1,
            }
        }
        let value = Number::Int(i128::try_from(count).unwrap_or_default());
        out.push(Gauge { name: RUNNING, tags: Tags::none(), value });
        if nameless > 0 {
            error.add("pods", format!("{nameless} without name or namespace"));
        }
        if count > PODS_MAX && !self.pods.is_empty() {
            error.add("pods", format!("only the first {PODS_MAX} are read"));
        }
        Ok(())
    }
}

/// Reads the rest of an object that was entered: names, and the values that the fields want.
fn read_entry(
    reader: &mut Reader<'_>,
    fields: &[Field],
    values: &mut Vec<Option<Number>>,
) -> Result<Names, JsonError> {
    let mut names = Names::default();
    values.clear();
    values.resize(fields.len(), None);
    while let Some(section) = reader.next_key()? {
        match section.as_ref() {
            "nodeName" => names.node = name(reader)?,
            "podRef" => read_reference(reader, &mut names)?,
            section if fields.iter().any(|field| field.section == section) => {
                read_section(reader, section, fields, values)?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(names)
}

fn read_reference(reader: &mut Reader<'_>, names: &mut Names) -> Result<(), JsonError> {
    if !reader.enter_object_or_skip()? {
        return Ok(());
    }
    while let Some(key) = reader.next_key()? {
        match key.as_ref() {
            "name" => names.pod = name(reader)?,
            "namespace" => names.namespace = name(reader)?,
            _ => reader.skip()?,
        }
    }
    Ok(())
}

fn read_section(
    reader: &mut Reader<'_>,
    section: &str,
    fields: &[Field],
    values: &mut [Option<Number>],
) -> Result<(), JsonError> {
    if !reader.enter_object_or_skip()? {
        return Ok(());
    }
    while let Some(key) = reader.next_key()? {
        let mut wanted = fields.iter().zip(values.iter_mut());
        match wanted.find(|(field, _)| field.section == section && field.key == key) {
            Some((_, value)) => *value = reader.number_or_skip()?,
            None => reader.skip()?,
        }
    }
    Ok(())
}

/// A name that can be a tag.
fn name(reader: &mut Reader<'_>) -> Result<Option<String>, JsonError> {
    let text = reader.text_or_skip()?.filter(|text| !text.is_empty());
    Ok(text.map(|text| text.chars().take(NAME_CHARS_MAX).collect()))
}

/// Appends the values that are there.
fn push(fields: &[Field], values: &[Option<Number>], tags: &[String], out: &mut Vec<Gauge>) {
    let tags = Tags::from_strings(tags);
    let gauge = |(field, value): (&Field, &Option<Number>)| {
        value.map(|value| Gauge { name: field.metric, tags: tags.clone(), value })
    };
    out.extend(fields.iter().zip(values).filter_map(gauge));
}

//! A node of Kubernetes, as its kubelet sees it: what the pods take and what the node has left.
//!
//! One request a reading, `GET /stats/summary`, over TLS; `summary` shows the answer and how it is read. The
//! kubelet knows the agent by a client certificate or by a bearer token, which is read from its file each
//! time because it rotates. The format is
//! [the kubelet's own](https://pkg.go.dev/k8s.io/kubelet/pkg/apis/stats/v1alpha1#Summary).
//!
//! It does not ask the API server, does not look into containers and volumes, and sees one node: an agent runs
//! on each.

pub mod groups;
mod summary;
#[cfg(test)]
mod tests;

pub use groups::{Groups, GroupsError};

use super::{CollectError, Collector, MetricDoc, Plugin, Question, Reading, Reply};
use crate::limits::k8s::SUMMARY_BYTES_MAX;
use crate::protocol::http::{Request, Response};
use summary::Summary;

/// The row of the table of plugins.
pub const PLUGIN: Plugin = Plugin {
    name: "k8s",
    summary: "a node of Kubernetes: pods and the node itself, from its kubelet",
    metrics: METRICS,
    build: |options| Box::new(K8s::new(&options.k8s)),
};

/// How the plugin's configuration looks to it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Host and port of the kubelet.
    pub authority: String,
    /// File with the bearer token.
    pub token_path: Option<String>,
    /// What is sent.
    pub groups: Groups,
}

const POD: &str = "Chouette.k8s.pod.";
const NODE: &str = "Chouette.k8s.node.";
const RUNNING: &str = "Chouette.k8s.pods.running";
const PATH: &str = "/stats/summary";

const METRICS: &[MetricDoc] = &[
    pod("Chouette.k8s.pod.cpu.usageNanoCores", "nanocore", "cpu"),
    pod("Chouette.k8s.pod.memory.rssBytes", "byte", "memory"),
    pod("Chouette.k8s.pod.memory.usageBytes", "byte", "memory"),
    pod("Chouette.k8s.pod.network.rxBytes", "byte", "network"),
    pod("Chouette.k8s.pod.network.txBytes", "byte", "network"),
    node("Chouette.k8s.node.cpu.usageNanoCores", "nanocore", "cpu"),
    node("Chouette.k8s.node.cpu.usageCoreNanoSeconds", "nanosecond", "cpu"),
    node("Chouette.k8s.node.memory.rssBytes", "byte", "memory"),
    node("Chouette.k8s.node.memory.usageBytes", "byte", "memory"),
    node("Chouette.k8s.node.memory.availableBytes", "byte", "memory"),
    node("Chouette.k8s.node.memory.workingSetBytes", "byte", "memory"),
    node("Chouette.k8s.node.network.rxBytes", "byte", "network"),
    node("Chouette.k8s.node.network.txBytes", "byte", "network"),
    node("Chouette.k8s.node.fs.availableBytes", "byte", "filesystem"),
    node("Chouette.k8s.node.fs.usedBytes", "byte", "filesystem"),
    node("Chouette.k8s.node.fs.inodesFree", "inode", "inodes"),
    MetricDoc { name: RUNNING, tags: &[], unit: "pod", group: "always" },
];

const fn pod(name: &'static str, unit: &'static str, group: &'static str) -> MetricDoc {
    MetricDoc { name, tags: &["namespace", "pod_name"], unit, group }
}

const fn node(name: &'static str, unit: &'static str, group: &'static str) -> MetricDoc {
    MetricDoc { name, tags: &["node_name"], unit, group }
}

/// The collector.
#[derive(Debug)]
pub struct K8s {
    authority: String,
    token_path: Option<String>,
    summary: Summary,
}

impl K8s {
    /// A collector that has asked nothing yet.
    pub fn new(options: &Options) -> K8s {
        K8s {
            authority: options.authority.clone(),
            token_path: options.token_path.clone(),
            summary: Summary::new(&options.groups),
        }
    }

    /// The request, with the token where there is one. Errors tell its path and never the token.
    fn request(&self, reading: &Reading<'_>) -> Result<Request, CollectError> {
        let request = Request::get(&self.authority, PATH);
        let Some(path) = &self.token_path else {
            return Ok(request);
        };
        let mut error = CollectError::default();
        let token = error.keep(path, reading.files.own_file(path));
        match token.as_deref().map(str::trim) {
            Some("") => error.add(path, "it holds no token"),
            Some(token) if !token.bytes().all(|b| b.is_ascii_graphic()) => {
                error.add(path, "it holds more than one token, or none: a header cannot carry it");
            }
            Some(token) => return Ok(request.with_header("Authorization", format!("Bearer {token}"))),
            None => {}
        }
        Err(error)
    }

    fn read(&mut self, response: &Response, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        let mut error = CollectError::default();
        match response.status {
            200 => {
                let read = self.summary.read(&response.body, &mut reading.gauges, &mut error);
                error.keep(&self.place(), read);
            }
            401 => error.add(
                &self.place(),
                "answered 401: it does not know the client; see K8S_TOKEN_PATH or K8S_CERT_PATH and K8S_KEY_PATH",
            ),
            403 => error.add(
                &self.place(),
                "answered 403: the token or certificate is not allowed to get nodes/stats",
            ),
            status => error.add(&self.place(), format_args!("answered {status}")),
        }
        error.into_result()
    }

    fn place(&self) -> String {
        format!("{}{PATH}", self.authority)
    }
}

impl Collector for K8s {
    fn name(&self) -> &'static str {
        PLUGIN.name
    }

    fn begin(&mut self, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        let request = self.request(reading)?;
        reading.ask(0, Question::Http { request, body_bytes_max: SUMMARY_BYTES_MAX });
        Ok(())
    }

    fn reply(&mut self, _ticket: u32, reply: Reply, reading: &mut Reading<'_>) -> Result<(), CollectError> {
        match reply {
            Reply::Http(Ok(response)) => self.read(&response, reading),
            Reply::Http(Err(reason)) => {
                let mut error = CollectError::default();
                error.add(&self.place(), reason);
                error.into_result()
            }
            Reply::Redis(_) | Reply::Line(_) | Reply::Ended(_) => Ok(()),
        }
    }
}

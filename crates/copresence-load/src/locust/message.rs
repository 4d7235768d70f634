//! The messages between a Locust master and its workers.

use super::request_statistics::{StatisticsReport, UserCounts};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a worker tells the master.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MessageToMaster {
    /// The worker is connected and has no users.
    ClientReady,
    /// It lives; sent every second.
    Heartbeat(Heartbeat),
    /// It received a demand for users.
    Spawning,
    /// The users that were demanded run.
    SpawningComplete(UserCounts),
    /// Requests and failures since the last report.
    Stats(Box<StatisticsReport>),
    /// All its users have stopped.
    ClientStopped,
    /// It leaves.
    Quit,
}

/// The state of a worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Heartbeat {
    /// `ready`, `spawning` or `running`.
    pub(super) state: &'static str,
    /// Percent of one processor.
    pub(super) current_cpu_usage: f64,
    /// Bytes.
    pub(super) current_memory_usage: u64,
}

impl MessageToMaster {
    /// Encodes the message of the worker with this id.
    ///
    /// # Errors
    /// Never in practice: all messages are plain data.
    pub(super) fn encode_message(&self, worker_id: &str) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        match self {
            // −1 stands for any version; another worker sends that of its Locust.
            Self::ClientReady => rmp_serde::to_vec_named(&("client_ready", -1, worker_id)),
            Self::Heartbeat(heartbeat) => rmp_serde::to_vec_named(&("heartbeat", heartbeat, worker_id)),
            Self::Spawning => rmp_serde::to_vec_named(&("spawning", (), worker_id)),
            Self::SpawningComplete(users) => rmp_serde::to_vec_named(&("spawning_complete", users, worker_id)),
            Self::Stats(report) => rmp_serde::to_vec_named(&("stats", report, worker_id)),
            Self::ClientStopped => rmp_serde::to_vec_named(&("client_stopped", (), worker_id)),
            Self::Quit => rmp_serde::to_vec_named(&("quit", (), worker_id)),
        }
    }
}

/// What a master tells a worker.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum MessageToWorker {
    /// The worker is known.
    Ack,
    /// The answer to a heartbeat.
    Heartbeat,
    /// So many users of each class must run.
    Spawn(SpawnJob),
    /// All users must stop; the worker stays.
    Stop,
    /// The worker must end.
    Quit,
    /// The worker must connect again.
    Reconnect,
    /// Anything else, which needs no action.
    Other(String),
}

/// Locust's job `spawn`: how many users of each class must run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct SpawnJob {
    /// Seconds since the epoch at the master; jobs are discarded that are not newer than the last one.
    pub(super) timestamp: f64,
    /// Number of users by the name of their class.
    pub(super) user_classes_count: BTreeMap<String, u64>,
    /// `--host` of the master, which consoles do not use.
    #[serde(default)]
    pub(super) host: Option<String>,
}

impl MessageToWorker {
    /// Decodes a message.
    ///
    /// # Errors
    /// It is not a message of Locust's protocol.
    pub(super) fn decode_message(bytes: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        let (kind, _, _): (String, IgnoredAny, IgnoredAny) = rmp_serde::from_slice(bytes)?;
        Ok(match kind.as_str() {
            "ack" => Self::Ack,
            "heartbeat" => Self::Heartbeat,
            "spawn" => {
                let (_, job, _): (IgnoredAny, SpawnJob, IgnoredAny) = rmp_serde::from_slice(bytes)?;
                Self::Spawn(job)
            }
            "stop" => Self::Stop,
            "quit" => Self::Quit,
            "reconnect" => Self::Reconnect,
            _ => Self::Other(kind),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_match_locust_wire_format() {
        // As `msgpack.dumps(("client_ready", -1, "w"))` in Python.
        let ready = MessageToMaster::ClientReady.encode_message("w").expect("plain data");
        assert_eq!(ready, b"\x93\xacclient_ready\xff\xa1w");
        let stopped = MessageToMaster::ClientStopped.encode_message("w").expect("plain data");
        assert_eq!(stopped, b"\x93\xaeclient_stopped\xc0\xa1w");
    }

    #[test]
    fn spawn_jobs_with_unneeded_data_are_decoded() {
        #[derive(Serialize)]
        struct Data<'a> {
            timestamp: f64,
            #[serde(flatten)]
            rest: BTreeMap<&'a str, serde_json::Value>,
            host: Option<&'a str>,
            stop_timeout: f64,
            parsed_options: BTreeMap<u8, &'a str>,
        }
        // Contains a map with integer keys, which JSON does not have.
        let options = BTreeMap::from([(1_u8, "x")]);
        let job = serde_json::json!({ "Console": 3 });
        let data = BTreeMap::from([("user_classes_count", job)]);
        let data = Data { timestamp: 1.5, rest: data, host: None, stop_timeout: 0.0, parsed_options: options };
        let bytes = rmp_serde::to_vec_named(&("spawn", data, "w")).expect("plain data");
        let expected =
            SpawnJob { timestamp: 1.5, user_classes_count: BTreeMap::from([("Console".to_owned(), 3)]), host: None };
        assert_eq!(MessageToWorker::decode_message(&bytes).expect("a message"), MessageToWorker::Spawn(expected));
        let other = rmp_serde::to_vec(&("custom", 1, ())).expect("plain data");
        assert_eq!(
            MessageToWorker::decode_message(&other).expect("a message"),
            MessageToWorker::Other("custom".to_owned())
        );
        assert!(MessageToWorker::decode_message(b"\xc1").is_err() && MessageToWorker::decode_message(b"").is_err());
    }
}

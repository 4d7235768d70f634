//! Tests of the contract of `copresence`: the real program in temporary folders, with the embedded sandbox or with a
//! backend that was written from the vendor's specification and shares no code with the product.

mod auto_visits;
mod commands;
#[cfg(unix)]
mod container_file;
mod doctor;
mod drill;
mod exit_codes;
mod fault_lists;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod github_action;
#[cfg(unix)]
mod guides;
mod history;
#[cfg(unix)]
mod interruption;
mod known_failures;
mod load;
mod partner_backend;
mod passport;
mod protocol_violations;
mod recovery;
mod replay;
#[cfg(unix)]
mod sandbox_command;
#[cfg(target_os = "linux")]
mod sandbox_limits;
mod saving;
mod secret_search;
mod secrets;
#[cfg(unix)]
mod shell_files;
mod support;
mod truncated_responses;
mod validation;
mod validation_answers;
mod visits;

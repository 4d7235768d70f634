//! Parses the output of `strace`: the system calls that change files, in order.

use crate::HarnessError;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// The calls that can change a file or a folder, or make it durable. Includes calls that the program does not make:
/// [`parse_trace`] returns an error for those that it does not know.
const CALLS: &str = "open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate,\
                     rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,\
                     fsync,fdatasync,sync,syncfs,sync_file_range,copy_file_range,sendfile,splice,msync";

/// A successful call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) began: SystemTime,
    pub(crate) ended: SystemTime,
    pub(crate) effect: Effect,
}

/// The effect of a call. Paths are absolute, as they were at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A file was opened; with `create` it was created if it did not exist.
    Open {
        path: PathBuf,
        create: bool,
        truncate: bool,
        mode: u32,
    },
    /// Bytes were written at an offset, or appended without one.
    Write {
        path: PathBuf,
        offset: Option<u64>,
        bytes: Vec<u8>,
    },
    /// The length of a file was set.
    Resize {
        path: PathBuf,
        length: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink {
        path: PathBuf,
    },
    MakeFolder {
        path: PathBuf,
        mode: u32,
    },
    /// The mode of a file or folder was set.
    SetMode {
        path: PathBuf,
        mode: u32,
    },
    RemoveFolder {
        path: PathBuf,
    },
    /// A file or folder was flushed.
    Sync {
        path: PathBuf,
    },
    /// Bytes were written to stdout.
    Stdout {
        bytes: Vec<u8>,
    },
}

/// The command under `strace`, which writes its trace to a file.
pub(crate) fn strace_command(command: &Command, trace: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-y", "-xx", "-ttt", "-T", "-s", "1000000000", "-e"]);
    strace.arg(format!("trace={CALLS}")).arg("-e").arg("signal=none").arg("-o").arg(trace);
    strace.arg(command.get_program()).args(command.get_args());
    strace
}

/// Why `strace` cannot be used on this machine, if it cannot.
pub(crate) fn unavailable_reason() -> Option<String> {
    match Command::new("strace").args(["-f", "--seccomp-bpf", "-o", "/dev/null", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let message = String::from_utf8_lossy(&output.stderr);
            Some(format!("strace does not work on this machine: {}", message.trim()))
        }
        Err(error) => Some(format!("strace cannot be started ({error}): `cargo xtask setup` installs it")),
    }
}

/// Parses a trace. Keeps the calls on files below these folders and on stdout.
pub(crate) fn parse_trace(text: &str, below: &[PathBuf]) -> Result<Vec<Call>, HarnessError> {
    let mut unfinished: HashMap<&str, String> = HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let (process, rest) = line.split_once(' ').ok_or("a line without a process")?;
        let (time, rest) = rest.trim_start().split_once(' ').ok_or("a line without a time")?;
        if let Some(first) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(process, format!("{time} {first}"));
            continue;
        }
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        // The line of a resumed call has the time of its end.
        let whole = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let rest = resumed.split_once(" resumed>").ok_or("a resumed call without its name")?.1;
                let first = unfinished.remove(process).ok_or("a resumed call without its start")?;
                format!("{first}{rest}")
            }
            None => format!("{time} {rest}"),
        };
        let (began, whole) = whole.split_once(' ').ok_or("a call without a time")?;
        let began = parse_time(began)?;
        let Some((effect, duration)) =
            parse_call(whole, below).map_err(|why| format!("{why}: {}", truncate_line(whole)))?
        else {
            continue;
        };
        calls.push(Call { began, ended: began + duration, effect });
    }
    Ok(calls)
}

fn truncate_line(line: &str) -> String {
    line.chars().take(300).collect()
}

fn parse_time(text: &str) -> Result<SystemTime, HarnessError> {
    let (seconds, micros) = text.split_once('.').ok_or("a time without a point")?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.parse()?) + Duration::from_micros(micros.parse()?))
}

/// Parses one complete call: `name(arguments) = value <duration>`.
fn parse_call(line: &str, below: &[PathBuf]) -> Result<Option<(Effect, Duration)>, HarnessError> {
    let (name, rest) = line.split_once('(').ok_or("no call")?;
    let end = rest.rfind(") = ").ok_or("no value")?;
    let (arguments, value) = (&rest[..end], &rest[end + 4..]);
    if value.starts_with("-1 ") || value.starts_with('?') {
        return Ok(None);
    }
    let seconds = value.rsplit_once(" <").and_then(|(_, time)| time.strip_suffix('>')?.parse::<f64>().ok());
    let duration = Duration::from_secs_f64(seconds.unwrap_or(0.0));
    let arguments = split_arguments(arguments);
    let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
    let is_own = |path: &Path| below.iter().any(|folder| path.starts_with(folder)) && !is_shared_memory(path);
    let path_at = |folder: usize, name: usize| -> Result<PathBuf, HarnessError> {
        let name = PathBuf::from(parse_string(argument(name))?);
        let base = descriptor_path(argument(folder)).unwrap_or_default();
        Ok(normalize_path(&base.join(name)))
    };
    let effect = match name {
        "openat" | "openat2" | "open" | "creat" => {
            let flags = arguments.iter().find(|argument| argument.contains("O_")).map_or("", String::as_str);
            if flags.contains("O_TMPFILE") {
                // The file has no name, so it does not survive the program.
                return Ok(None);
            }
            let mode = match name {
                "openat2" => flags.split_once("mode=0").map(|(_, mode)| mode),
                _ => arguments.iter().rfind(|argument| argument.starts_with('0')).map(String::as_str),
            };
            let path = descriptor_path(value).ok_or("an open file without its name")?;
            Effect::Open {
                path,
                create: flags.contains("O_CREAT") || name == "creat",
                truncate: flags.contains("O_TRUNC") || name == "creat",
                mode: mode.map_or(0, parse_octal),
            }
        }
        "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" => {
            if argument(0).starts_with("1<") && name == "write" {
                return Ok(Some((Effect::Stdout { bytes: written_bytes(argument(1), value)? }, duration)));
            }
            let Some(path) = descriptor_path(argument(0)).filter(|path| is_own(path)) else {
                return Ok(None);
            };
            let offset = match name {
                "write" => None,
                "pwrite64" => Some(argument(3).parse()?),
                _ => return Err(format!("the model does not know {name}").into()),
            };
            Effect::Write { path, offset, bytes: written_bytes(argument(1), value)? }
        }
        "ftruncate" => Effect::Resize {
            path: descriptor_path(argument(0)).ok_or("a file without its name")?,
            length: argument(1).parse()?,
        },
        "rename" => Effect::Rename {
            from: normalize_path(Path::new(&parse_string(argument(0))?)),
            to: normalize_path(Path::new(&parse_string(argument(1))?)),
        },
        "renameat" | "renameat2" => Effect::Rename { from: path_at(0, 1)?, to: path_at(2, 3)? },
        "unlink" => Effect::Unlink { path: normalize_path(Path::new(&parse_string(argument(0))?)) },
        "rmdir" => Effect::RemoveFolder { path: normalize_path(Path::new(&parse_string(argument(0))?)) },
        "unlinkat" if argument(2).contains("AT_REMOVEDIR") => Effect::RemoveFolder { path: path_at(0, 1)? },
        "unlinkat" => Effect::Unlink { path: path_at(0, 1)? },
        "mkdir" => Effect::MakeFolder {
            path: normalize_path(Path::new(&parse_string(argument(0))?)),
            mode: parse_octal(argument(1)),
        },
        "mkdirat" => Effect::MakeFolder { path: path_at(0, 1)?, mode: parse_octal(argument(2)) },
        "chmod" => Effect::SetMode {
            path: normalize_path(Path::new(&parse_string(argument(0))?)),
            mode: parse_octal(argument(1)),
        },
        "fchmod" => Effect::SetMode {
            path: descriptor_path(argument(0)).ok_or("a file without its name")?,
            mode: parse_octal(argument(1)),
        },
        "fchmodat" => Effect::SetMode { path: path_at(0, 1)?, mode: parse_octal(argument(2)) },
        "fsync" | "fdatasync" => Effect::Sync { path: descriptor_path(argument(0)).ok_or("a file without its name")? },
        _ => return Err(format!("the model does not know {name}").into()),
    };
    let is_relevant = match &effect {
        Effect::Open { path, .. }
        | Effect::Write { path, .. }
        | Effect::Resize { path, .. }
        | Effect::Unlink { path }
        | Effect::MakeFolder { path, .. }
        | Effect::SetMode { path, .. }
        | Effect::RemoveFolder { path }
        | Effect::Sync { path } => is_own(path),
        Effect::Rename { from, to } => is_own(from) || is_own(to),
        Effect::Stdout { .. } => true,
    };
    Ok(is_relevant.then_some((effect, duration)))
}

/// Whether a file is `SQLite`'s index of the write-ahead log, which is shared memory and need not survive.
fn is_shared_memory(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-shm")
}

/// Splits arguments at commas outside of quotes and brackets.
fn split_arguments(arguments: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0_u32, false);
    for letter in arguments.chars() {
        match letter {
            '"' => quoted = !quoted,
            '{' | '[' | '<' if !quoted => depth += 1,
            '}' | ']' | '>' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// The path in `9</home/…>`, if it is absolute.
fn descriptor_path(descriptor: &str) -> Option<PathBuf> {
    let (_, rest) = descriptor.split_once('<')?;
    // The value of an open is followed by the duration.
    let path = rest.split_once('>')?.0;
    let path = String::from_utf8(unescape_bytes(path).ok()?).ok()?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// Parses a quoted string of UTF-8.
fn parse_string(argument: &str) -> Result<String, HarnessError> {
    Ok(String::from_utf8(parse_quoted(argument)?)?)
}

/// The bytes that were written; the value of the call is their number.
fn written_bytes(argument: &str, value: &str) -> Result<Vec<u8>, HarnessError> {
    let mut all = parse_quoted(argument)?;
    let count: usize = value.split_whitespace().next().unwrap_or_default().parse()?;
    if count > all.len() {
        return Err("more was written than strace shows".into());
    }
    all.truncate(count);
    Ok(all)
}

fn parse_quoted(argument: &str) -> Result<Vec<u8>, HarnessError> {
    let inner = argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or("no whole string")?;
    unescape_bytes(inner)
}

/// Decodes `\x2f\x74…`; other characters stay.
fn unescape_bytes(text: &str) -> Result<Vec<u8>, HarnessError> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        if let (b'\\', [b'x', high, low, after @ ..]) = (first, more) {
            let digit = |digit: u8| char::from(digit).to_digit(16).ok_or("no hexadecimal digit");
            bytes.push(u8::try_from(digit(*high)? * 16 + digit(*low)?)?);
            rest = after;
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    Ok(bytes)
}

fn parse_octal(text: &str) -> u32 {
    let digits: String = text.chars().take_while(|letter| ('0'..='7').contains(letter)).collect();
    u32::from_str_radix(&digits, 8).unwrap_or(0)
}

/// Removes `.` and `..`. The folders have no symbolic links.
fn normalize_path(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_parsed_in_the_order_of_its_effects() {
        let trace = r#"10 1.000001 openat2(5</d/out>, "\x61", {flags=O_RDWR|O_CREAT|O_EXCL, mode=0600, resolve=RESOLVE_BENEATH}, 24) = 7</d/out/a> <0.000010>
11 1.000100 write(7<\x2f\x64/out/a>, "\x78\x79" <unfinished ...>
10 1.000200 renameat(5</d/out>, "x", 5</d/out>, "y") = -1 ENOENT (No such file or directory) <0.000001>
10 1.000300 fsync(5</d/out>) = 0 <0.500000>
11 1.000400 <... write resumed>, 2) = 2 <0.000300>
10 1.000500 write(9<socket:[1]>, "\x00", 1) = 1 <0.000001>
10 1.000600 fsync(6</elsewhere>) = 0 <0.000001>
10 1.000700 +++ exited with 0 +++
"#;
        let calls = parse_trace(trace, &[PathBuf::from("/d/out")]).expect("read");
        let path = PathBuf::from("/d/out/a");
        let effects: Vec<_> = calls.iter().map(|call| call.effect.clone()).collect();
        assert_eq!(
            effects,
            [
                Effect::Open { path: path.clone(), create: true, truncate: false, mode: 0o600 },
                Effect::Sync { path: "/d/out".into() },
                Effect::Write { path, offset: None, bytes: b"xy".to_vec() },
            ]
        );
        assert_eq!(calls[1].ended.duration_since(calls[1].began).expect("later"), Duration::from_millis(500));
    }

    #[test]
    fn an_unknown_call_is_an_error() {
        let trace = "10 1.000001 copy_file_range(3</d/a>, NULL, 4</d/b>, NULL, 10, 0) = 10 <0.000010>\n";
        assert!(parse_trace(trace, &["/d".into()]).is_err());
    }
}

//! What `strace` saw: the calls that change files, in their order.

use crate::Trouble;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// The calls that can change a file, a folder, or what is durable of them. Those that the program does not make are
/// here too: when it makes one that [`read`] does not know, that is said.
const CALLS: &str = "open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate,\
                     rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,\
                     fsync,fdatasync,sync,syncfs,sync_file_range,copy_file_range,sendfile,splice,msync";

/// One call that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) began: SystemTime,
    pub(crate) ended: SystemTime,
    pub(crate) effect: Effect,
}

/// What it did; paths are absolute, as they were at that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A file was opened, and made if it was not there.
    Open {
        path: PathBuf,
        create: bool,
        truncate: bool,
        mode: u32,
    },
    /// Bytes were written; without an offset behind what is there.
    Write {
        path: PathBuf,
        offset: Option<u64>,
        bytes: Vec<u8>,
    },
    /// A file got another length.
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
    /// A file or a folder got another mode.
    SetMode {
        path: PathBuf,
        mode: u32,
    },
    RemoveFolder {
        path: PathBuf,
    },
    /// What it is of a file or a folder is durable.
    Sync {
        path: PathBuf,
    },
    /// Words on stdout.
    Told {
        bytes: Vec<u8>,
    },
}

/// Puts `strace` before a command; what it sees goes to a file.
pub(crate) fn strace(command: &Command, trace: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "--seccomp-bpf", "-y", "-xx", "-ttt", "-T", "-s", "1000000000", "-e"]);
    strace.arg(format!("trace={CALLS}")).arg("-e").arg("signal=none").arg("-o").arg(trace);
    strace.arg(command.get_program()).args(command.get_args());
    strace
}

/// Why nothing can be traced here, if so.
pub(crate) fn obstacle() -> Option<String> {
    match Command::new("strace").args(["-f", "--seccomp-bpf", "-o", "/dev/null", "true"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Some(format!("this machine lets no program be traced: {}", said.trim()))
        }
        Err(error) => Some(format!("strace cannot be started ({error}): `cargo xtask setup` installs it")),
    }
}

/// Reads a trace, and keeps what concerns files below one of these folders, and stdout.
pub(crate) fn read(text: &str, below: &[PathBuf]) -> Result<Vec<Call>, Trouble> {
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
        // Where a call was resumed, its time is the one at which it ended.
        let whole = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let rest = resumed.split_once(" resumed>").ok_or("a resumed call without its name")?.1;
                let first = unfinished.remove(process).ok_or("a call is resumed that never began")?;
                format!("{first}{rest}")
            }
            None => format!("{time} {rest}"),
        };
        let (began, whole) = whole.split_once(' ').ok_or("a call without a time")?;
        let began = moment(began)?;
        let Some((what, took)) = call(whole, below).map_err(|why| format!("{why}: {}", short(whole)))? else {
            continue;
        };
        calls.push(Call { began, ended: began + took, effect: what });
    }
    Ok(calls)
}

fn short(line: &str) -> String {
    line.chars().take(300).collect()
}

fn moment(text: &str) -> Result<SystemTime, Trouble> {
    let (seconds, micros) = text.split_once('.').ok_or("a time without a point")?;
    Ok(SystemTime::UNIX_EPOCH
        + Duration::from_secs(seconds.parse()?)
        + Duration::from_micros(micros.parse()?))
}

/// One whole call: `name(arguments) = value <time>`.
fn call(line: &str, below: &[PathBuf]) -> Result<Option<(Effect, Duration)>, Trouble> {
    let (name, rest) = line.split_once('(').ok_or("no call")?;
    let end = rest.rfind(") = ").ok_or("no value")?;
    let (arguments, value) = (&rest[..end], &rest[end + 4..]);
    if value.starts_with("-1 ") || value.starts_with('?') {
        return Ok(None);
    }
    let took = value.rsplit_once(" <").and_then(|(_, time)| time.strip_suffix('>')?.parse::<f64>().ok());
    let took = Duration::from_secs_f64(took.unwrap_or(0.0));
    let arguments = split(arguments);
    let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
    let ours = |path: &Path| below.iter().any(|folder| path.starts_with(folder)) && !is_shared_memory(path);
    let at = |folder: usize, name: usize| -> Result<PathBuf, Trouble> {
        let name = PathBuf::from(text(argument(name))?);
        let base = described(argument(folder)).unwrap_or_default();
        Ok(plain(&base.join(name)))
    };
    let effect = match name {
        "openat" | "openat2" | "open" | "creat" => {
            let flags = arguments.iter().find(|argument| argument.contains("O_")).map_or("", String::as_str);
            if flags.contains("O_TMPFILE") {
                // It never gets a name, so nothing of it outlives the program.
                return Ok(None);
            }
            let mode = match name {
                "openat2" => flags.split_once("mode=0").map(|(_, mode)| mode),
                _ => arguments.iter().rfind(|argument| argument.starts_with('0')).map(String::as_str),
            };
            let path = described(value).ok_or("an open file without its name")?;
            Effect::Open {
                path,
                create: flags.contains("O_CREAT") || name == "creat",
                truncate: flags.contains("O_TRUNC") || name == "creat",
                mode: mode.map_or(0, octal),
            }
        }
        "write" | "pwrite64" | "writev" | "pwritev" | "pwritev2" => {
            if argument(0).starts_with("1<") && name == "write" {
                return Ok(Some((Effect::Told { bytes: written(argument(1), value)? }, took)));
            }
            let Some(path) = described(argument(0)).filter(|path| ours(path)) else { return Ok(None) };
            let offset = match name {
                "write" => None,
                "pwrite64" => Some(argument(3).parse()?),
                _ => return Err(format!("the model knows no {name}").into()),
            };
            Effect::Write { path, offset, bytes: written(argument(1), value)? }
        }
        "ftruncate" => Effect::Resize {
            path: described(argument(0)).ok_or("a file without its name")?,
            length: argument(1).parse()?,
        },
        "rename" => Effect::Rename {
            from: plain(Path::new(&text(argument(0))?)),
            to: plain(Path::new(&text(argument(1))?)),
        },
        "renameat" | "renameat2" => Effect::Rename { from: at(0, 1)?, to: at(2, 3)? },
        "unlink" => Effect::Unlink { path: plain(Path::new(&text(argument(0))?)) },
        "rmdir" => Effect::RemoveFolder { path: plain(Path::new(&text(argument(0))?)) },
        "unlinkat" if argument(2).contains("AT_REMOVEDIR") => Effect::RemoveFolder { path: at(0, 1)? },
        "unlinkat" => Effect::Unlink { path: at(0, 1)? },
        "mkdir" => {
            Effect::MakeFolder { path: plain(Path::new(&text(argument(0))?)), mode: octal(argument(1)) }
        }
        "mkdirat" => Effect::MakeFolder { path: at(0, 1)?, mode: octal(argument(2)) },
        "chmod" => Effect::SetMode { path: plain(Path::new(&text(argument(0))?)), mode: octal(argument(1)) },
        "fchmod" => Effect::SetMode {
            path: described(argument(0)).ok_or("a file without its name")?,
            mode: octal(argument(1)),
        },
        "fchmodat" => Effect::SetMode { path: at(0, 1)?, mode: octal(argument(2)) },
        "fsync" | "fdatasync" => {
            Effect::Sync { path: described(argument(0)).ok_or("a file without its name")? }
        }
        _ => return Err(format!("the model knows no {name}").into()),
    };
    let concerns = match &effect {
        Effect::Open { path, .. }
        | Effect::Write { path, .. }
        | Effect::Resize { path, .. }
        | Effect::Unlink { path }
        | Effect::MakeFolder { path, .. }
        | Effect::SetMode { path, .. }
        | Effect::RemoveFolder { path }
        | Effect::Sync { path } => ours(path),
        Effect::Rename { from, to } => ours(from) || ours(to),
        Effect::Told { .. } => true,
    };
    Ok(concerns.then_some((effect, took)))
}

/// `SQLite`'s index of the log is shared memory: nothing of it has to survive anything.
fn is_shared_memory(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-shm")
}

/// Splits arguments at commas outside of quotes, brackets and angles.
fn split(arguments: &str) -> Vec<String> {
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

/// The path in `9</home/…>`, if it is one.
fn described(descriptor: &str) -> Option<PathBuf> {
    let (_, rest) = descriptor.split_once('<')?;
    // After the value of an open stands the time it took.
    let path = rest.split_once('>')?.0;
    let path = String::from_utf8(bytes(path).ok()?).ok()?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// What a quoted string says.
fn text(argument: &str) -> Result<String, Trouble> {
    Ok(String::from_utf8(quoted(argument)?)?)
}

/// As many bytes as the call's value says were written.
fn written(argument: &str, value: &str) -> Result<Vec<u8>, Trouble> {
    let mut all = quoted(argument)?;
    let count: usize = value.split_whitespace().next().unwrap_or_default().parse()?;
    if count > all.len() {
        return Err("more was written than strace shows".into());
    }
    all.truncate(count);
    Ok(all)
}

fn quoted(argument: &str) -> Result<Vec<u8>, Trouble> {
    let inner =
        argument.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or("no whole string")?;
    bytes(inner)
}

/// `\x2f\x74…`, or plain letters.
fn bytes(text: &str) -> Result<Vec<u8>, Trouble> {
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

fn octal(text: &str) -> u32 {
    let digits: String = text.chars().take_while(|letter| ('0'..='7').contains(letter)).collect();
    u32::from_str_radix(&digits, 8).unwrap_or(0)
}

/// Without `.` and `..`; no link stands below the folders in question.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_in_the_order_of_its_effects() {
        let trace = r#"10 1.000001 openat2(5</d/out>, "\x61", {flags=O_RDWR|O_CREAT|O_EXCL, mode=0600, resolve=RESOLVE_BENEATH}, 24) = 7</d/out/a> <0.000010>
11 1.000100 write(7<\x2f\x64/out/a>, "\x78\x79" <unfinished ...>
10 1.000200 renameat(5</d/out>, "x", 5</d/out>, "y") = -1 ENOENT (No such file or directory) <0.000001>
10 1.000300 fsync(5</d/out>) = 0 <0.500000>
11 1.000400 <... write resumed>, 2) = 2 <0.000300>
10 1.000500 write(9<socket:[1]>, "\x00", 1) = 1 <0.000001>
10 1.000600 fsync(6</elsewhere>) = 0 <0.000001>
10 1.000700 +++ exited with 0 +++
"#;
        let calls = read(trace, &[PathBuf::from("/d/out")]).expect("read");
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
    fn a_call_that_the_model_does_not_know_is_said() {
        let trace = "10 1.000001 copy_file_range(3</d/a>, NULL, 4</d/b>, NULL, 10, 0) = 10 <0.000010>\n";
        assert!(read(trace, &["/d".into()]).is_err());
    }
}

//! The power cut: what was not flushed is lost.
//!
//! The real program runs once under `strace`, which tells each call that changes a file, in their order. From that a
//! model of the disk knows what is durable after every step ([`disk`]), and what a power cut there leaves. The real
//! folders are made so, the backend is wound back to what it had been asked by then, and `recover` runs on that. What
//! is left is held to the same claims as after a kill, where "on the disk" now means: what `SQLite` finds in the
//! journal that the power cut left.

mod disk;
mod state;
mod trace;

use crate::backend::Backend;
use crate::claims::{Scene, judge, judge_forgotten};
use crate::courses::{COURSES, Course};
use crate::fates::{self, Row, Verdict};
use crate::report::{Breach, Report, Table};
use crate::stand::{Live, Ran, Stand, program};
use crate::{Options, Trouble, cells};
use disk::{Disk, Loss};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// How many cuts by lot, and how many torn ones, a course gets at least; in the long form one after each step.
const BY_LOT: usize = 12;

/// One run that was watched.
struct Watched {
    course: &'static Course,
    stand: Stand,
    backend: Backend,
    events: Vec<crate::backend::Event>,
    disk: Disk,
}

/// One power cut.
struct Cut {
    /// After so many steps.
    step: usize,
    loss: Loss,
    /// What the backend had been asked: the first so many events.
    events: usize,
}

/// What became of one.
struct Outcome {
    name: String,
    words: String,
    loss: Loss,
    verdict: Result<Verdict, Trouble>,
}

pub(crate) fn run(options: &Options) -> Result<Report, Trouble> {
    let began = Instant::now();
    let mut report = Report {
        title: "Power cut".to_owned(),
        about: "The power fails after each step that changes a file, and what was not flushed is lost, in four ways; \
                then `copresence recover` runs, until it finds nothing more to do. *All unflushed*: nothing survives \
                that no fsync vouches for, not even names. *Bytes only*: names survive, unflushed bytes do not. \
                *By lot*: each unflushed write and each change of a folder survives or not. *Torn*: of each file some \
                unflushed writes survive, the last one in part. States that are the same are tried once."
            .to_owned(),
        tables: Vec::new(),
        breaches: Vec::new(),
        cells: 0,
        took: Duration::ZERO,
    };
    if let Some(obstacle) = trace::obstacle() {
        if std::env::var_os("CI").is_some() {
            return Err(obstacle.into());
        }
        eprintln!("LEFT OUT: {obstacle}");
        report.about = format!("Left out: {obstacle}.");
        return Ok(report);
    }
    let program = program()?;
    let courses: Vec<&'static Course> =
        COURSES.iter().filter(|course| course.power && options.wants_some_of(course.name)).collect();
    let results = cells::run(options.jobs(), &courses, |course| of_course(&program, course, options));
    let mut all = Vec::new();
    for (course, result) in courses.iter().zip(results) {
        let outcomes = result.map_err(|trouble| format!("the course `{}`: {trouble}", course.name))?;
        report.cells += outcomes.len();
        for outcome in &outcomes {
            let told = match &outcome.verdict {
                Ok(verdict) => verdict.breaches.clone(),
                Err(trouble) => vec![format!("the cell could not run: {trouble}")],
            };
            let breach = |what| Breach {
                cell: outcome.name.clone(),
                what: format!("{what}\n({:?}, after: {})", outcome.loss, outcome.words),
                // Where threads meet, the next recording has its steps in another order: all cuts of that kind.
                again: options.again("power", outcome.name.split_inclusive(':').next().unwrap_or_default()),
            };
            report.breaches.extend(told.into_iter().map(breach));
        }
        if !outcomes.is_empty() {
            report.tables.push(by_step(course, &outcomes));
        }
        all.extend(outcomes);
    }
    if !all.is_empty() {
        report.tables.insert(0, by_loss(&all));
    }
    report.took = began.elapsed();
    Ok(report)
}

fn of_course(program: &Path, course: &'static Course, options: &Options) -> Result<Vec<Outcome>, Trouble> {
    let watched = watch(program, course)?;
    let cuts = watched.cuts(options);
    Ok(cuts.iter().map(|cut| watched.try_out(cut, options)).collect())
}

/// Lets a course run under `strace`, and makes sure that the model is right: with nothing lost, it has the real files.
fn watch(program: &Path, course: &'static Course) -> Result<Watched, Trouble> {
    let (stand, backend) = (course.stand(program)?, course.backend()?);
    course.prepare(&stand, &backend)?;
    let folders = [stand.data(), stand.out()];
    let mut disk = Disk::look(&folders)?;
    let file = stand.root().join("trace");
    let act = course.act(&stand, &backend)?;
    let mut traced = trace::strace(&act, &file);
    stand.dress(&mut traced);
    let ran = Live::start(traced)?.end();
    if !course.forgets() && !course.is_as_due(&ran) {
        return Err(format!("it does not end as it should: {}", ran.told()).into());
    }
    disk.follow(trace::read(&std::fs::read_to_string(&file)?, &folders)?)?;
    let differences = disk.cut(disk.steps(), Loss::Nothing).differences()?;
    if !differences.is_empty() {
        return Err(format!("the model of the disk is wrong about {}", differences.join(", ")).into());
    }
    backend.settle()?;
    let events = backend.events();
    Ok(Watched { course, stand, backend, events, disk })
}

impl Watched {
    /// Every different state that a cut can leave.
    fn cuts(&self, options: &Options) -> Vec<Cut> {
        let mut seen = BTreeSet::new();
        let mut cuts = Vec::new();
        // Right before a flush the most is at stake.
        let flushes: Vec<usize> = (0..self.disk.steps()).filter(|step| self.disk.flushes(*step)).collect();
        let every = (flushes.len() / BY_LOT).max(1);
        let by_lot: BTreeSet<usize> = flushes.into_iter().step_by(every).collect();
        for step in 0..=self.disk.steps() {
            let mut losses = vec![Loss::Strict, Loss::BytesOnly];
            if options.long || by_lot.contains(&step) {
                losses.extend([Loss::ByLot(options.seed), Loss::Torn(options.seed)]);
            }
            // While one step waits for the next, the backend may have been asked something.
            let (from, to) = self.disk.moments(step);
            let known = |at| self.events.iter().filter(|event| event.at <= at).count();
            for events in known(from)..=known(to) {
                for loss in &losses {
                    let state = self.disk.cut(step, *loss).fingerprint();
                    if seen.insert((state, events, self.disk.told(step).lines().count())) {
                        cuts.push(Cut { step, loss: *loss, events });
                    }
                }
            }
        }
        cuts.retain(|cut| options.wants(&self.name(cut)));
        cuts
    }

    fn name(&self, cut: &Cut) -> String {
        let loss = match cut.loss {
            Loss::Nothing => "nothing",
            Loss::Strict => "strict",
            Loss::BytesOnly => "bytes",
            Loss::ByLot(_) => "lot",
            Loss::Torn(_) => "torn",
        };
        format!("{}/{loss}:{}+{}", self.course.name, cut.step, cut.events)
    }

    fn try_out(&self, cut: &Cut, options: &Options) -> Outcome {
        let mut verdict = self.judge(cut);
        if let Ok(verdict) = &mut verdict
            && options.keep
            && !verdict.breaches.is_empty()
        {
            let kept =
                std::env::temp_dir().join(format!("copresence-cut-{}", self.name(cut).replace('/', "-")));
            let put = self.put(cut).and_then(|()| Ok(std::fs::rename(self.stand.root(), &kept)?));
            // The stand's folders are needed for the next cut.
            let back = put.and_then(|()| copy(&kept, self.stand.root()));
            verdict.breaches.push(format!("what the cut left is kept in {}: {back:?}", kept.display()));
        }
        Outcome { name: self.name(cut), words: self.disk.words(cut.step).to_owned(), loss: cut.loss, verdict }
    }

    fn put(&self, cut: &Cut) -> Result<(), Trouble> {
        self.disk.cut(cut.step, cut.loss).put()
    }

    fn judge(&self, cut: &Cut) -> Result<Verdict, Trouble> {
        self.put(cut)?;
        self.backend.settle()?;
        self.backend.rewind(self.events[..cut.events].to_vec());
        let told = Ran { stdout: self.disk.told(cut.step), ..Ran::default() };
        let scene = Scene::take(&self.stand, &self.backend, told)?;
        if self.course.forgets() {
            judge_forgotten(&self.stand, &self.backend, &scene)
        } else {
            judge(&self.stand, &self.backend, &scene)
        }
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), Trouble> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// One row a kind of loss, all courses together.
fn by_loss(outcomes: &[Outcome]) -> Table {
    let mut rows: BTreeMap<Loss, Row> = BTreeMap::new();
    for outcome in outcomes {
        rows.entry(outcome.loss).or_default().add(outcome.verdict.as_ref().ok());
    }
    let words = |loss| match loss {
        Loss::Nothing => "nothing",
        Loss::Strict => "all unflushed",
        Loss::BytesOnly => "bytes only",
        Loss::ByLot(_) => "by lot",
        Loss::Torn(_) => "torn",
    };
    let rows = rows.into_iter().map(|(loss, row)| (words(loss).to_owned(), row));
    fates::table("By what is lost, all courses together", "lost", "cuts", rows)
}

/// One row a kind of step, in the order in which they come first.
fn by_step(course: &Course, outcomes: &[Outcome]) -> Table {
    let mut rows: Vec<(String, Row)> = Vec::new();
    for outcome in outcomes {
        let at = rows.iter().position(|(words, _)| *words == outcome.words).unwrap_or_else(|| {
            rows.push((outcome.words.clone(), Row::default()));
            rows.len() - 1
        });
        rows[at].1.add(outcome.verdict.as_ref().ok());
    }
    fates::table(course.words, "cut after …", "cuts", rows)
}

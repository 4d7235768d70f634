//! The kill matrix: SIGKILL at each crash point of the program, at moments that only the backend sees, and at random
//! instants.

use crate::backend::{Moment, Trap};
use crate::claims::{Scene, judge, judge_forgotten};
use crate::courses::{COURSES, Course, other_disk};
use crate::fates::{self, Row, Verdict};
use crate::report::{Breach, Report, Table};
use crate::stand::{self, Live, program};
use crate::{Options, Trouble, cells};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Random instants of the bounded form, and of the long one.
const INSTANTS: (u32, u32) = (60, 400);
/// A step that comes again and again is cut so often in the long form, and at its last time.
const MOST_TIMES: u32 = 6;

/// What ends the program.
#[derive(Debug, Clone, PartialEq)]
enum Blow {
    /// It ends itself the n-th time that it reaches this point.
    Point(String, u32),
    /// The backend ends it the n-th time that this moment comes.
    Backend(Moment, u32),
    /// After so long.
    After(Duration),
}

struct Cell<'a> {
    course: &'a Course,
    blow: Blow,
    name: String,
}

/// What a run without a blow reaches.
struct Reached {
    points: BTreeMap<String, u32>,
    moments: BTreeMap<&'static str, (Moment, u32)>,
    took: Duration,
}

pub(crate) fn run(options: &Options) -> Result<Report, Trouble> {
    let began = Instant::now();
    let program = program()?;
    let catalogue = catalogue(&program)?;
    let courses: Vec<&Course> =
        COURSES.iter().filter(|course| !course.two_disks || other_disk().is_some()).collect();
    let reached = cells::run(options.jobs(), &courses, |course| reach(&program, course));
    let reached = reached.into_iter().collect::<Result<Vec<_>, _>>()?;

    let mut breaches = Vec::new();
    let all_courses = courses.len() == COURSES.len();
    for (point, _) in catalogue.iter().filter(|_| all_courses && options.only.is_none()) {
        if !reached.iter().any(|reached| reached.points.contains_key(point)) {
            breaches.push(Breach {
                cell: point.clone(),
                what: "no course reaches this crash point".to_owned(),
                again: "matrices kill".to_owned(),
            });
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut all = Vec::new();
    for (course, reached) in courses.iter().zip(&reached) {
        all.extend(steps(course, reached, options.long));
        if course.name == "visit" {
            all.extend(instants(course, reached.took, options.long, &mut rng));
        }
    }
    all.retain(|cell| options.wants(&cell.name));
    let verdicts = cells::run(options.jobs(), &all, |cell| one(&program, cell, options.keep));
    for (cell, verdict) in all.iter().zip(&verdicts) {
        let told = match verdict {
            Ok(verdict) => verdict.breaches.clone(),
            Err(trouble) => vec![format!("the cell could not run: {trouble}")],
        };
        let again = options.again("kill", &cell.name);
        let breach = |what| Breach { cell: cell.name.clone(), what, again: again.clone() };
        breaches.extend(told.into_iter().map(breach));
    }
    let tables = courses.iter().filter_map(|course| table(course, &catalogue, &all, &verdicts)).collect();
    Ok(Report {
        title: "Kill matrix".to_owned(),
        about: "`copresence` is ended by SIGKILL after each step; then `copresence recover` runs, until it finds \
                nothing more to do. A cell is one such crash. *Delivered*: the backend had answered with the URLs \
                when the program died; *on disk*: that answer was in the journal."
            .to_owned(),
        tables,
        breaches,
        cells: all.len(),
        took: began.elapsed(),
    })
}

/// The crash points that the program has, each with what has just happened there.
fn catalogue(program: &Path) -> Result<Vec<(String, String)>, Trouble> {
    let told = std::process::Command::new(program).env("COPRESENCE_CRASH_POINTS", "list").output()?;
    let text = String::from_utf8(told.stdout)?;
    let points: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, words)| (name.to_owned(), words.to_owned()))
        .collect();
    if points.is_empty() {
        let place = program.display();
        return Err(format!(
            "{place} was built without crash points: `cargo build -p copresence-cli --features copresence-cli/crash-points`"
        )
        .into());
    }
    Ok(points)
}

/// Lets a course run without a blow, and notes what it reaches.
fn reach(program: &Path, course: &Course) -> Result<Reached, Trouble> {
    let (stand, backend) = (course.stand(program)?, course.backend()?);
    course.prepare(&stand, &backend)?;
    backend.set(None);
    let log = stand.root().join("points.log");
    let mut act = course.act(&stand, &backend)?;
    act.env("COPRESENCE_CRASH_LOG", &log);
    let ran = stand::run(act)?;
    if !course.forgets() && !course.is_as_due(&ran) {
        return Err(format!("the course `{}` does not end as it should: {}", course.name, ran.told()).into());
    }
    let mut points = BTreeMap::new();
    for name in std::fs::read_to_string(&log)?.lines() {
        *points.entry(name.to_owned()).or_insert(0) += 1;
    }
    let moments = Moment::ALL.iter().map(|moment| (moment.name(), (*moment, backend.count(*moment))));
    Ok(Reached { points, moments: moments.filter(|(_, (_, count))| *count > 0).collect(), took: ran.took })
}

/// The cells of the steps that a course reaches.
fn steps<'a>(course: &'a Course, reached: &Reached, long: bool) -> Vec<Cell<'a>> {
    let mut cells = Vec::new();
    let wanted =
        |name: &str| course.points.is_empty() || course.points.iter().any(|part| name.contains(part));
    for (point, count) in reached.points.iter().filter(|(point, _)| wanted(point)) {
        for nth in times(*count, long) {
            let name = format!("{}/{point}:{nth}", course.name);
            cells.push(Cell { course, blow: Blow::Point(point.clone(), nth), name });
        }
    }
    for (name, (moment, count)) in reached.moments.iter().filter(|(name, _)| wanted(name)) {
        for nth in times(*count, long) {
            let name = format!("{}/{name}:{nth}", course.name);
            cells.push(Cell { course, blow: Blow::Backend(*moment, nth), name });
        }
    }
    cells
}

/// The first and the last time; in the long form many between them.
fn times(count: u32, long: bool) -> BTreeSet<u32> {
    let mut times = BTreeSet::from([1, count]);
    if long {
        times.extend(1..=count.min(MOST_TIMES));
    }
    times
}

fn instants<'a>(course: &'a Course, took: Duration, long: bool, rng: &mut ChaCha8Rng) -> Vec<Cell<'a>> {
    let count = if long { INSTANTS.1 } else { INSTANTS.0 };
    let cell = |number| {
        let after = took.mul_f64(rng.random_range(0.0..1.1));
        Cell { course, blow: Blow::After(after), name: format!("{}/instant:{number}", course.name) }
    };
    (1..=count).map(cell).collect()
}

/// How often a step comes may hang on how the bytes of four downloads mix: a time that does not come is one too many.
fn one(program: &Path, cell: &Cell<'_>, keep: bool) -> Result<Verdict, Trouble> {
    let mut blow = cell.blow.clone();
    loop {
        let (verdict, survived) = once(program, cell.course, &blow, keep)?;
        match &mut blow {
            Blow::Point(_, nth) | Blow::Backend(_, nth) if survived && *nth > 1 => *nth -= 1,
            _ => return Ok(verdict),
        }
    }
}

fn once(program: &Path, course: &Course, blow: &Blow, keep: bool) -> Result<(Verdict, bool), Trouble> {
    let (stand, backend) = (course.stand(program)?, course.backend()?);
    course.prepare(&stand, &backend)?;
    backend.set(None);
    let mut act = course.act(&stand, &backend)?;
    let ran = match blow {
        Blow::Point(point, nth) => {
            act.env("COPRESENCE_CRASH_AT", format!("{point}:{nth}"));
            Live::start(act)?.end()
        }
        Blow::Backend(moment, nth) => {
            let victim: Arc<OnceLock<Pid>> = Arc::default();
            let aim = victim.clone();
            let snap = Box::new(move || {
                // One that has ended meanwhile needs no killing.
                _ = kill_process(*aim.wait(), Signal::KILL);
            });
            backend.set(Some(Trap { moment: *moment, nth: *nth, snap }));
            let live = Live::start(act)?;
            let id = i32::try_from(live.id()).ok().and_then(Pid::from_raw).ok_or("no process id")?;
            _ = victim.set(id);
            live.end()
        }
        Blow::After(time) => {
            let mut live = Live::start(act)?;
            // The blow falls at a time and at no event: that is the point of it.
            std::thread::sleep(*time);
            live.kill();
            live.end()
        }
    };
    backend.set(None);
    let survived = ran.exit.is_some() && !matches!(blow, Blow::After(_));
    let told = ran.told();
    let scene = Scene::take(&stand, &backend, ran)?;
    let mut verdict = if course.forgets() {
        judge_forgotten(&stand, &backend, &scene)?
    } else {
        judge(&stand, &backend, &scene)?
    };
    if survived {
        verdict.breaches.push(format!("it was not killed: {told}"));
    }
    if keep && !verdict.breaches.is_empty() {
        let kept: Vec<String> = stand.keep().iter().map(|path| path.display().to_string()).collect();
        verdict.breaches.push(format!("its folders are kept: {}", kept.join(", ")));
    }
    Ok((verdict, survived))
}

/// One row a step, in the order of the catalogue.
fn table(
    course: &Course,
    catalogue: &[(String, String)],
    cells: &[Cell<'_>],
    verdicts: &[Result<Verdict, Trouble>],
) -> Option<Table> {
    let mut rows: BTreeMap<usize, (String, Row)> = BTreeMap::new();
    for (cell, verdict) in cells.iter().zip(verdicts).filter(|(cell, _)| cell.course.name == course.name) {
        let (order, words) = match &cell.blow {
            Blow::Point(point, _) => {
                let order = catalogue.iter().position(|(name, _)| name == point).unwrap_or(usize::MAX - 9);
                (order, catalogue.get(order).map_or_else(|| point.clone(), |(_, words)| words.clone()))
            }
            Blow::Backend(moment, _) => {
                let order = Moment::ALL.iter().position(|it| it == moment).unwrap_or_default();
                (catalogue.len() + order, moment.words().to_owned())
            }
            Blow::After(_) => (usize::MAX, "at a random instant".to_owned()),
        };
        let (_, row) = rows.entry(order).or_insert_with(|| (words, Row::default()));
        row.add(verdict.as_ref().ok());
    }
    if rows.is_empty() {
        return None;
    }
    Some(fates::table(course.words, "killed when …", "cells", rows.into_values()))
}

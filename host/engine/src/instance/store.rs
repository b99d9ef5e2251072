use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use plan::{InstanceId, LaunchPlan};
use serde::de::DeserializeOwned;

use crate::instance::files::{Lock, read_small, write_atomic};
use crate::instance::names::Names;
use crate::instance::{Health, Record, Status};
use crate::{Error, Paths};

const PLAN: &str = "plan.json";
const STATE: &str = "state.json";
const LOCK: &str = "supervisor.lock";

/// All instances of one state directory.
#[derive(Debug, Clone)]
pub(crate) struct Instances {
    dir: PathBuf,
    names: Names,
}

/// One instance: its plan, its record, and where it really is.
#[derive(Debug, Clone)]
pub struct Instance {
    /// What was asked for.
    pub plan: LaunchPlan,
    /// What was recorded.
    pub record: Record,
    /// Where it is.
    pub health: Health,
    dir: PathBuf,
}

impl Instances {
    /// The instances of a state directory, which the first one makes.
    pub(crate) fn open(paths: &Paths) -> Self {
        Self { dir: paths.instances(), names: Names::new(paths.names()) }
    }

    /// The directory of an instance.
    pub(crate) fn dir_of(&self, id: &InstanceId) -> PathBuf {
        self.dir.join(id.as_str())
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Makes an instance's directory and gives it its name; both are taken back if anything fails.
    pub(crate) fn create(&self, plan: &LaunchPlan, status: Status) -> Result<Instance, Error> {
        let dir = self.dir_of(&plan.id);
        self.reserve_name(plan)?;
        let record = Record { status, ..Record::new() };
        let write = || -> Result<(), Error> {
            fs::create_dir(&dir).map_err(Error::file("creating", &dir))?;
            write_json(&dir.join(PLAN), plan)?;
            write_json(&dir.join(STATE), &record)
        };
        if let Err(error) = write() {
            let _ = fs::remove_dir_all(&dir);
            self.names.release(&plan.name, &plan.id);
            return Err(error);
        }
        Ok(Instance { plan: plan.clone(), record, health: Health::Created, dir })
    }

    fn reserve_name(&self, plan: &LaunchPlan) -> Result<(), Error> {
        let reserve = || self.names.reserve(&plan.name, &plan.id, |holder| self.dir_of(holder).exists());
        match reserve() {
            Err(Error::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
                for dir in [&self.dir, self.names.dir()] {
                    fs::create_dir_all(dir).map_err(Error::file("creating", dir))?;
                }
                reserve()
            }
            result => result,
        }
    }

    /// Finds an instance by name, id, or an unambiguous beginning of an id.
    pub(crate) fn find(&self, what: &str) -> Result<Instance, Error> {
        if let Some(id) = self.names.holder(what)
            && let Ok(instance) = self.load(&id)
        {
            return Ok(instance);
        }
        let hex = !what.is_empty() && what.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let mut found = self.ids().into_iter().filter(|id| hex && id.as_str().starts_with(what));
        match (found.next(), found.next()) {
            (None, _) => Err(Error::NoInstance(what.to_owned())),
            (Some(id), None) => self.load(&id),
            (Some(_), Some(_)) => Err(Error::Ambiguous(what.to_owned())),
        }
    }

    /// Every instance, oldest first. One whose files are damaged is left out: [`Instances::ids`] still has it.
    pub(crate) fn list(&self) -> Vec<Instance> {
        let mut all: Vec<Instance> = self.ids().iter().filter_map(|id| self.load(id).ok()).collect();
        all.sort_by_key(|instance| instance.record.created);
        all
    }

    /// The ids of all directories.
    pub(crate) fn ids(&self) -> Vec<InstanceId> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
    }

    /// Reads one instance and looks where it is.
    pub(crate) fn load(&self, id: &InstanceId) -> Result<Instance, Error> {
        let dir = self.dir_of(id);
        let plan: LaunchPlan = read_json(&dir.join(PLAN), id)?;
        // Before the record: a supervisor that ends in between has written its last record, which is then the one read.
        let supervised = Lock::is_held(&dir.join(LOCK));
        let record: Record = read_json(&dir.join(STATE), id)?;
        let health = health(&record, supervised);
        Ok(Instance { plan, record, health, dir })
    }

    /// Writes the plan of an instance that has a new name, and gives the old one back. The caller holds its edit lock.
    pub(crate) fn rename(&self, instance: &Instance, old: &str) -> Result<(), Error> {
        self.reserve_name(&instance.plan)?;
        if let Err(error) = instance.save_plan() {
            self.names.release(&instance.plan.name, &instance.plan.id);
            return Err(error);
        }
        self.names.release(old, &instance.plan.id);
        Ok(())
    }

    /// Removes all traces of an instance on disk. The caller has made sure that nothing of it runs.
    pub(crate) fn remove(&self, id: &InstanceId, name: Option<&str>) -> Result<(), Error> {
        let dir = self.dir_of(id);
        // Renamed first: from then on no command sees half of an instance.
        let doomed = self.dir.join(format!(".removing-{id}"));
        match fs::rename(&dir, &doomed) {
            Ok(()) => remove_tree(&doomed).map_err(Error::file("removing", doomed))?,
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(Error::file("removing", dir)(e)),
        }
        if let Some(name) = name {
            self.names.release(name, id);
        }
        Ok(())
    }

    /// Directories left by removals that were cut short.
    pub(crate) fn half_removed(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let doomed = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(".removing-"));
        entries.flatten().map(|e| e.path()).filter(doomed).collect()
    }
}

impl Instance {
    /// The instance's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.dir.join(LOCK)
    }

    /// Whether a supervisor answers on the control socket.
    pub(crate) fn is_supervised(&self) -> bool {
        Lock::is_held(&self.lock_path())
    }

    /// Takes the supervisor's lock of an instance that has ended; its supervisor may need a moment more to go. `None` if it
    /// stays.
    pub(crate) fn take(&self) -> Result<Option<Lock>, Error> {
        for _ in 0..200 {
            if let Some(lock) = Lock::try_take(&self.lock_path())? {
                return Ok(Some(lock));
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Ok(None)
    }

    /// Writes the plan. The caller holds the lock of [`Instance::edit`].
    pub(crate) fn save_plan(&self) -> Result<(), Error> {
        write_json(&self.dir.join(PLAN), &self.plan)
    }

    /// Held while the plan is changed, so that no change is lost.
    pub(crate) fn edit(&self) -> Result<Lock, Error> {
        let busy = || Error::WrongState {
            name: self.plan.name.clone(),
            state: "being changed by another command",
            hint: "try once more",
        };
        Lock::try_take(&self.dir.join("edit.lock"))?.ok_or_else(busy)
    }

    /// Writes the record.
    pub(crate) fn save(&self) -> Result<(), Error> {
        write_json(&self.dir.join(STATE), &self.record)
    }
}

fn health(record: &Record, supervised: bool) -> Health {
    let alive = !supervised && record.process.as_ref().is_some_and(|p| p.is_alive());
    match (record.status, supervised, alive) {
        (Status::Exited, ..) => Health::Exited,
        // Somebody is starting it.
        (Status::Prepared, true, _) => Health::Created,
        (Status::Prepared, false, _) => Health::Prepared,
        (Status::Restarting, true, _) => Health::Restarting,
        (Status::Running, true, _) if record.paused => Health::Paused,
        (Status::Running, true, _) => Health::Running,
        (_, false, true) => Health::Unsupervised,
        (Status::Created, true, _) => Health::Created,
        (Status::Created, false, false) if record.supervisor.is_none() && is_young(record) => Health::Created,
        (_, false, false) => Health::Dead,
    }
}

/// Between the making of the directory and the supervisor's taking of its lock lie microseconds; seconds mean that it died.
fn is_young(record: &Record) -> bool {
    record.created.elapsed().is_ok_and(|age| age.as_secs() < 2)
}

/// What an instance's directory holds unless its program wrote files: removed by name first, which takes a third of the
/// system calls of looking.
const USUAL: [&str; 9] =
    [PLAN, STATE, LOCK, "control", "log.json", "hosts", "resolv.conf", "hostname", "work/work/incompat/volatile/dirty"];
const USUAL_DIRS: [&str; 6] = ["work/work/incompat/volatile", "work/work/incompat", "work/work", "work", "upper", ""];

fn remove_tree(dir: &Path) -> std::io::Result<()> {
    USUAL.iter().for_each(|name| drop(fs::remove_file(dir.join(name))));
    // Each fails as long as something else lies in it.
    USUAL_DIRS.iter().for_each(|name| drop(fs::remove_dir(dir.join(name))));
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_vec(value).map_err(|source| Error::Damaged { path: path.to_owned(), source })?;
    write_atomic(path, &text)
}

fn read_json<T: DeserializeOwned>(path: &Path, id: &InstanceId) -> Result<T, Error> {
    match read_small(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|source| Error::Damaged { path: path.to_owned(), source }),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(Error::NoInstance(id.short().to_owned())),
        Err(e) => Err(Error::file("reading", path)(e)),
    }
}

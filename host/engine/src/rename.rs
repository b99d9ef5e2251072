use plan::NetworkMode;

use crate::supervisor::{Client, Frame};
use crate::{Engine, Error, Instance, events, launch};

impl Engine {
    /// Gives an instance another name, under which other instances find it too.
    pub fn rename(&self, what: &str, name: &str) -> Result<(), Error> {
        let found = self.find(what)?;
        let _lock = found.edit()?;
        let mut instance = self.instances.load(&found.plan.id)?;
        let old = std::mem::replace(&mut instance.plan.name, name.to_owned());
        if old == name {
            return Err(Error::Invalid(format!("instance '{name}' has this name already")));
        }
        self.instances.rename(&instance, &old)?;
        if instance.plan.network.mode == NetworkMode::Bridge && instance.health.is_alive() {
            launch::open_network(&self.paths)?.rename(&instance.plan.id, name)?;
        }
        Self::tell_changed(&instance);
        events::write(&self.paths, &instance.plan, "rename", &[("oldName", &old)]);
        Ok(())
    }

    /// Lets the supervisor, if there is one, read the plan again.
    pub(crate) fn tell_changed(instance: &Instance) {
        if let Ok(mut client) = Client::connect(instance.dir()) {
            let _ = client.request(&Frame::Reload);
        }
    }
}

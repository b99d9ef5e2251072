//! Extended attributes: the image's until one is changed.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::Errno;

use super::Node;

type Attributes = BTreeMap<Vec<u8>, Arc<[u8]>>;

impl Node {
    fn lower_xattrs(&self) -> Result<Attributes, Errno> {
        let mut found = Attributes::new();
        if let (Some(lower), Some(image)) = (&self.lower, &self.tree.image) {
            image.xattrs(lower, &mut |prefix, name, value| {
                found.insert([prefix, name].concat(), value.into());
                true
            })?;
        }
        Ok(found)
    }

    /// Looks at the attributes.
    pub(super) fn with_xattrs<T>(&self, look: impl FnOnce(&Attributes) -> T) -> Result<T, Errno> {
        match &self.state().xattrs {
            Some(xattrs) => Ok(look(xattrs)),
            None => Ok(look(&self.lower_xattrs()?)),
        }
    }

    /// Changes the attributes.
    pub(super) fn edit_xattrs(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Attributes) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        self.tree.check_writable()?;
        let mut xattrs = match &self.state().xattrs {
            Some(xattrs) => xattrs.clone(),
            None => self.lower_xattrs()?,
        };
        change(&mut xattrs)?;
        self.keep();
        let mut state = self.state();
        state.xattrs = Some(xattrs);
        state.ctime = crate::vfs::Timestamp::now();
        Ok(())
    }
}

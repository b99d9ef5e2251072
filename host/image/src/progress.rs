/// How far a long operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Bytes done in this phase; it only grows within one phase.
    pub bytes: u64,
}

/// A step of packing or loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Files of the host are read into a layer.
    Packing,
    /// The archive is read and its digests are verified.
    Reading,
    /// Layers are unpacked into the image's file system.
    Unpacking,
    /// The image is made durable and enters the store.
    Storing,
}

/// Who wants to hear about it. It is called at most about once per mebibyte and at each change of phase.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// Thins out reports to one per mebibyte.
pub(crate) struct Meter<'a> {
    listener: OnProgress<'a>,
    phase: Phase,
    bytes: u64,
    reported: u64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(listener: OnProgress<'a>, phase: Phase) -> Self {
        listener(Progress { phase, bytes: 0 });
        Self { listener, phase, bytes: 0, reported: 0 }
    }

    pub(crate) fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.bytes - self.reported >= 1 << 20 {
            self.reported = self.bytes;
            (self.listener)(Progress { phase: self.phase, bytes: self.bytes });
        }
    }

    pub(crate) fn enter(&mut self, phase: Phase) {
        if self.bytes != self.reported {
            (self.listener)(Progress { phase: self.phase, bytes: self.bytes });
        }
        (self.phase, self.bytes, self.reported) = (phase, 0, 0);
        (self.listener)(Progress { phase, bytes: 0 });
    }
}
